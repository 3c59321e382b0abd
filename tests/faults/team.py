"""The members of one test: driver processes on a private Redis, what they wrote down, and the checks afterwards."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from evidence import Evidence
from swarm_support import (
    Answer,
    Driver,
    Language,
    Ledger,
    Note,
    Redis,
    WallClock,
    broken_invariants,
    check_obliterated,
    read_journal,
    wait_until,
)

CLUSTER = "faults"
# Of members whose program does not set it.
DEFAULT_LEASES = {Language.RUST: 15.0, Language.C: 15.0, Language.PYTHON: 15.0, Language.NODE: 60.0}


class Team:
    """Members of one cluster. `lease` is in seconds; without one all options of all members are the default ones. `url` is
    another way to the server."""

    def __init__(self, server: Redis, folder: Path, lease: float | None, url: str = "") -> None:
        self.server = server
        self.ledger = Ledger()
        self._lease = lease
        self._url = url
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self._journals: dict[Driver, Path] = {}
        self._drivers: list[Driver] = []

    @property
    def lease(self) -> float:
        """The lease of all members."""
        assert self._lease is not None, "the members have default leases"
        return self._lease

    def lease_of(self, language: Language) -> float:
        """The lease of the members in a language."""
        return self._lease or DEFAULT_LEASES[language]

    def master(self, language: Language = Language.RUST, clock: WallClock | None = None, **options: object) -> Driver:
        """A registered master."""
        return self._member("master", language, clock, options)

    def worker(self, language: Language = Language.RUST, clock: WallClock | None = None, **options: object) -> Driver:
        """A registered worker that keeps a journal."""
        journal = self._folder / f"{len(self._drivers)}-{language}.log"
        driver = self._member("worker", language, clock, {"log": str(journal), **options})
        self._journals[driver] = journal
        return driver

    def add(self, master: Driver, count: int, payload: bytes = b'{"n":1}', **options: object) -> list[str]:
        """Adds jobs in one call."""
        ids = master.call("add_many", payloads=[payload] * count, **options).list("ids")
        self.ledger.add(ids, payload)
        return ids

    def flood(self, master: Driver, count: int, payload: bytes = b'{"n":1}') -> list[str]:
        """Adds jobs one by one with many in flight."""
        ids = master.call("flood", count=count, payload=payload).list("ids")
        self.ledger.add(ids, payload)
        return ids

    def notes(self, worker: Driver, *events: str) -> list[Note]:
        """What a worker wrote down, of these events."""
        return [note for note in read_journal(self._journals[worker]) if note.event in events]

    def count(self, worker: Driver, name: str) -> int:
        """One of the worker's counts."""
        return int(worker.call("counts")[name])

    def wait_for_notes(self, worker: Driver, event: str, count: int, within: float) -> list[Note]:
        """Waits until the journal has so many notes of an event."""

        def enough() -> list[Note] | None:
            found = self.notes(worker, event)
            return found if len(found) >= count else None

        return wait_until(enough, within, f"{worker.language} notes {count} times `{event}`")

    def lease_end(self, incarnation: str) -> float:
        """When a member's lease ends, as Redis has it now, on the monotonic clock."""
        score = self.server.command("ZSCORE", f"{{{CLUSTER}}}:due", f"L:{incarnation}")
        assert score is not None, f"{incarnation} is not registered"
        seconds, micros = self.server.command("TIME")
        return time.monotonic() + float(score) / 1000 - (int(seconds) + int(micros) / 1e6)

    def stats(self, member: Driver) -> Answer:
        """The counts of the cluster."""
        return member.call("stats")

    def errors(self, member: Driver) -> list[str]:
        """The codes of the `error` events that the member had and no call has read."""
        codes = []
        while (event := member.event(0)) is not None:
            if event["event"] == "error":
                codes.append(event["code"])
        return codes

    def check(self, master: Driver, evidence: Evidence | None = None) -> None:
        """All invariants, the last by removing the cluster."""
        broken = broken_invariants(self.server.admin, CLUSTER, self.ledger, self._journals.values())
        (evidence or Evidence([])).measured("broken invariants", len(broken), at_most=0, detail="\n".join(["", *broken[:20], ""]))
        for driver in self._drivers:
            # One that lives on would register again.
            if driver is not master:
                driver.close()
        master.call("obliterate")
        master.call("close")
        check_obliterated(self.server.admin)

    def close(self) -> None:
        """Ends all members."""
        for driver in self._drivers:
            driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _member(self, role: str, language: Language, clock: WallClock | None, options: dict[str, object]) -> Driver:
        driver = Driver(language, clock)
        self._drivers.append(driver)
        lease = {} if self._lease is None else {"lease": int(self._lease * 1000)}
        driver.call(role, **{"cluster": CLUSTER, "url": self._url or self.server.url, **lease, **options})
        driver.call("ready")
        return driver
