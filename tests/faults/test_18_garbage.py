"""Fault 18: garbage from the server ends in a typed error and bounded memory; a damaged record fails its job as `corrupt`."""

import socket
import threading
from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Driver, Language, Redis, wait_until
from team import CLUSTER, Team

GARBAGE = {
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "noise": bytes(range(256)) * 64,
    "truncated": b"*3\r\n$5\r\nhel",
    "huge length": b"$999999999999\r\n",
    "huge array": b"*2147483647\r\n",
    "nested": b"*1\r\n" * 10_000,
}
MEMORY = 300 * 1024


class Liar:
    """A server that answers everything with the same bytes, then closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.settimeout(1)
                    connection.recv(4096)
                    connection.sendall(self._answer)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_a_typed_error(name: str, evidence: Evidence) -> None:
    liar = Liar(GARBAGE[name])
    driver = Driver(Language.RUST)
    try:
        driver.call("master", cluster="liar", host="127.0.0.1", port=liar.port, timeout=1000)
        answer = driver.ask("add", payload=b"1")
        assert answer.code in ("UNAVAILABLE", "WRONG_SERVER"), answer.fields
        used = int(
            next(line.split()[1] for line in Path(f"/proc/{driver.pid}/status").read_text().splitlines() if "VmRSS" in line)
        )
        evidence.measured("memory after garbage", used / 1024, "MiB", at_most=MEMORY / 1024)
        assert driver.quit() == 0
    finally:
        driver.close()
        liar.close()


RECORDS = {
    "empty": b"",
    "unknown flags": b"\xff\xff\xff",
    "short extras": b"\x08\x00\xff\xff",
    "odd extras": b"\x08\x00\x00\x02\x81\xc0",
    "short result": b"\x02\x00",
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_fails_its_job_and_no_other(server: Redis, tmp_path: Path, name: str, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        ids = team.add(master, 10)
        server.command("HSET", f"{{{CLUSTER}}}:jobs", ids[4], RECORDS[name])
        team.add(master, 1, resource="r", retries=3)
        worker = team.worker(behave="echo")
        wait_until(lambda: int(team.stats(master)["completed"]) == 10, 10, "the others are completed")
        wait_until(lambda: master.call("job", id=ids[4])["state"] == "failed", 10, "the damaged one has failed")
        assert master.call("job", id=ids[4])["reason"] == "corrupt"
        evidence.measured("neighbours of a damaged record completed, of 10", team.count(worker, "added"), at_least=10)
        team.check(master, evidence)


def test_a_damaged_record_can_be_deleted(server: Redis, tmp_path: Path) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        ids = team.add(master, len(RECORDS))
        for job, record in zip(ids, RECORDS.values(), strict=True):
            server.command("HSET", f"{{{CLUSTER}}}:jobs", job, record)
        assert master.call("delete_many", ids=ids).list("existed_each") == ["true"] * len(RECORDS)
        team.ledger.deleted |= set(ids)
        assert team.stats(master)["waiting"] == "0"
        team.check(master)
