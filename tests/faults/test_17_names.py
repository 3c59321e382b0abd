"""Fault 17: names and options of every shape are either refused with a typed error or kept as they are, within the prefix."""

from pathlib import Path

import pytest
from evidence import Evidence
from swarm_support import Redis, wait_until
from team import Team

LONGEST = "x" * 256
ODD = [
    "*",
    "a b",
    "{x}",
    "}{",
    "a:b:c",
    "0",
    "-1:t",
    "'; return 1 --",
    "[[",
    "%s%d",
    "\\",
    "\u00e9\U0001f41d",
    LONGEST,
    "",
    "*?[a-z]",
]
REFUSED = {"\n": "INVALID_ARGUMENT", "a\0b": "INVALID_ARGUMENT", LONGEST + "x": "TOO_LARGE", "x" * 65536: "TOO_LARGE"}
NUMBERS = {
    "priority": ["9007199254740993", "1.5", "x", ""],
    "delay": ["-1", "1e300", "nan"],
    "retries": ["-1", "201", "4294967296"],
    "run_timeout": ["0", "-5"],
    "result_ttl": ["0", "1e15"],
    "backoff_jitter": ["-0.1", "1.1", "nan"],
}


def test_unusual_names_are_kept_as_they_are(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        worker = team.worker(tasks=ODD, behave="echo")
        for number, name in enumerate(ODD):
            for option in ("task", "resource", "unique"):
                if name or option == "task":
                    team.ledger.add(
                        master.call("add_many", payloads=[b"1"], **{option: name, "priority": number}).list("ids"), b"1"
                    )
        wait_until(lambda: team.count(worker, "completed") == len(team.ledger.added), 10, "all are completed")
        tasks = {note.fields["task"] for note in team.notes(worker, "add") if "task" in note.fields}
        evidence.measured("names changed on the way", len(tasks - set(ODD)), at_most=0)
        evidence.measured("jobs with odd names done", len(team.ledger.added), at_least=2 * len(ODD))
        team.check(master, evidence)


@pytest.mark.parametrize("option", ["id", "task", "resource", "unique"])
def test_names_out_of_bounds_are_refused(server: Redis, tmp_path: Path, option: str, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        for name, code in REFUSED.items():
            assert master.ask("add", payload=b"1", **{option: name}).code == code
        evidence.measured("names refused", len(REFUSED))
        assert team.stats(master)["added"] == "0"
        team.check(master)


def test_numbers_out_of_bounds_are_refused(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        for option, values in NUMBERS.items():
            for value in values:
                assert master.ask("add", payload=b"1", **{option: value}).code == "INVALID_ARGUMENT", (option, value)
        evidence.measured("numbers refused", sum(map(len, NUMBERS.values())))
        assert team.stats(master)["added"] == "0"
        team.check(master)


def test_the_same_id_with_another_payload_is_the_first_job(server: Redis, tmp_path: Path) -> None:
    with Team(server, tmp_path, lease=10.0) as team:
        master = team.master()
        team.ledger.add(["same"], b"1")
        assert master.call("add", payload=b"1", id="same")["existed"] == "false"
        assert master.call("add", payload=b"2", id="same", priority=5, delay=1000)["existed"] == "true"
        worker = team.worker(behave="echo")
        team.wait_for_notes(worker, "completed", 1, 10)
        team.check(master)
