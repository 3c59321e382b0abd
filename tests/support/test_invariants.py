"""The checker finds each broken invariant; a checker that finds nothing would pass every fault."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from swarm_support import Ledger, Redis, check_invariants, check_obliterated

PAYLOAD = b'{"n":1}'


class Case:
    """A sound state: `waits` waits, `active` is active, `done` was completed."""

    def __init__(self, server: Redis, folder: Path) -> None:
        self.server = server
        self.journal = folder / "worker.log"
        self.ledger = Ledger()
        self.ledger.add(["waits", "active", "done"], PAYLOAD)
        server.command("FLUSHALL")
        self.set("HSET", "meta", "added", 3, "completed", 1)
        self.set("HSET", "jobs", "", "-", "waits", "r", "active", "r")
        self.set("HSET", "owner", "", "-", "active", "7:inc")
        self.set("RPUSH", "ready:0", "waits")
        self.set("SADD", "members", "inc")
        self.set("SADD", "active:inc", "active")
        self.note(1, "add", "done", 5)
        self.note(2, "completed", "done", 5)
        self.note(3, "add", "active", 7)

    def set(self, command: str, key: str, *values: str | int) -> None:
        self.server.command(command, f"{{checked}}:{key}", *values)

    def note(self, t: int, event: str, job: str, fence: int, payload: bytes = PAYLOAD) -> None:
        with self.journal.open("a") as journal:
            journal.write(f"t={t} event={event} job={job} fence={fence} payload={payload.hex()}\n")

    def check(self) -> None:
        check_invariants(self.server.admin, "checked", self.ledger, [self.journal])

    def breaks(self, invariant: str) -> None:
        with pytest.raises(AssertionError, match=f"{invariant}: "):
            self.check()


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture
def case(server: Redis, tmp_path: Path) -> Case:
    return Case(server, tmp_path)


def test_a_sound_state_passes(case: Case) -> None:
    case.check()


def test_a_job_in_two_states(case: Case) -> None:
    case.set("RPUSH", "ready:0", "active")
    case.breaks("I1")


def test_a_job_that_waits_twice(case: Case) -> None:
    case.set("RPUSH", "ready:0", "waits")
    case.breaks("I1")


def test_a_job_in_no_state(case: Case) -> None:
    case.set("LREM", "ready:0", 1, "waits")
    case.breaks("I1")


def test_a_dead_entry_is_no_place(case: Case) -> None:
    case.set("HSET", "tombstones", "waits", 1)
    case.breaks("I1")
    case.set("RPUSH", "ready:0", "waits")
    case.check()


def test_a_lost_job(case: Case) -> None:
    case.set("HDEL", "jobs", "waits")
    case.set("LREM", "ready:0", 1, "waits")
    case.breaks("I1")


def test_a_job_active_by_a_member_that_is_gone(case: Case) -> None:
    case.set("SREM", "members", "inc")
    case.breaks("I1")


def test_a_job_that_was_never_added(case: Case) -> None:
    del case.ledger.added["waits"]
    case.breaks("I1")


def test_counts_that_do_not_sum(case: Case) -> None:
    case.set("HSET", "meta", "added", 4)
    case.breaks("I2")


def test_two_accepted_completions(case: Case) -> None:
    case.note(4, "completed", "done", 5)
    case.breaks("I3")


def test_a_fence_that_does_not_grow(case: Case) -> None:
    case.note(4, "add", "active", 7)
    case.breaks("I4")


def test_a_completion_after_the_store_was_read_breaks_nothing(case: Case) -> None:
    case.note(int(time.monotonic()) + 1000, "completed", "active", 7)
    case.check()


def test_a_start_after_the_accepted_completion(case: Case) -> None:
    case.note(4, "add", "done", 9)
    case.breaks("I5")


def test_a_completion_of_an_execution_that_was_overtaken(case: Case) -> None:
    case.note(4, "add", "active", 9)
    case.note(5, "completed", "active", 7)
    case.breaks("I5")


def test_a_changed_payload(case: Case) -> None:
    case.note(4, "add", "waits", 9, b"other")
    case.breaks("I6")


def test_a_key_outside_the_prefix(case: Case) -> None:
    case.server.command("SET", "stray", 1)
    case.breaks("I7")


def test_a_key_left_behind(case: Case) -> None:
    with pytest.raises(AssertionError, match="I8: "):
        check_obliterated(case.server.admin)
