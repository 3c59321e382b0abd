"""The guarantees in every case, checked afterwards from the journals of the workers and the data in Redis.

I1 each added, not deleted job is in exactly one state. I2 the counts of the states sum to added - removed. I3 at most one
accepted completion per job. I4 the fences of a job strictly increase. I5 accepted executions do not overlap (each job is its
own resource; jobs that share one are checked where they are run). I6 payloads arrive unchanged. I7 no key outside the prefix.
I8 no key left after `obliterate`.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import redis


@dataclass(frozen=True)
class Note:
    """One line of a worker's journal."""

    t: float
    event: str
    fields: dict[str, str]

    @property
    def job(self) -> str:
        """The job's id."""
        return self.fields["job"]

    @property
    def fence(self) -> int:
        """The job's fence."""
        return int(self.fields["fence"])


def read_journal(path: Path) -> list[Note]:
    """The notes of one worker in their order; none if it never wrote any."""
    if not path.exists():
        return []
    notes = []
    # What follows the last newline is a line that is being written.
    for line in path.read_text().split("\n")[:-1]:
        fields = {name: unquote(value) for name, value in (word.split("=", 1) for word in line.split())}
        notes.append(Note(float(fields.pop("t")), fields.pop("event"), fields))
    return notes


@dataclass
class Ledger:
    """What the test did: the jobs it added with their payloads, and the ids it deleted."""

    added: dict[str, bytes] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    undone: tuple[float, float] | None = None
    """A time, on the monotonic clock, whose operations may be lost, because the server lost them."""
    doubtful: set[str] = field(default_factory=set)
    """Jobs that were added in that time."""

    def add(self, ids: Iterable[str], payload: bytes) -> None:
        """Jobs that were added with this payload."""
        self.added |= dict.fromkeys(ids, payload)


@dataclass
class Store:
    """The state of a cluster in Redis at one moment."""

    meta: dict[str, int]
    jobs: set[str]
    owners: dict[str, str]
    ready: list[str]
    """Of all queues, one after the other."""
    delayed: set[str]
    blocked: set[str]
    tombstones: dict[str, int]
    """Dead entries of `ready:0` by their ids."""
    members: set[str]
    failed: set[str]
    active: dict[str, set[str]]
    keys: list[str]

    @classmethod
    def read(cls, admin: redis.Redis, cluster: str) -> "Store":
        """Reads all in one transaction."""
        prefix = f"{{{cluster}}}:"
        members = {text(inc) for inc in admin.smembers(f"{prefix}members")}
        with admin.pipeline(transaction=True) as asked:
            asked.hmget(f"{prefix}meta", _COUNTERS)
            asked.hkeys(f"{prefix}jobs")
            asked.hgetall(f"{prefix}owner")
            asked.zrange(f"{prefix}delayed", 0, -1)
            asked.smembers(f"{prefix}blocked")
            asked.hgetall(f"{prefix}tombstones")
            asked.hkeys(f"{prefix}failed")
            asked.keys("*")
            for inc in members:
                asked.smembers(f"{prefix}active:{inc}")
            counters, jobs, owners, delayed, blocked, tombstones, failed, keys, *active = asked.execute()
        ready = [job for key in map(text, keys) if key.startswith(f"{prefix}ready:") for job in _waiting(admin, key)]
        return cls(
            meta={name: int(value or 0) for name, value in zip(_COUNTERS, counters, strict=True)},
            jobs=set(map(text, jobs)) - {_PLACEHOLDER},
            owners={text(job): text(owner) for job, owner in owners.items() if text(job) != _PLACEHOLDER},
            ready=ready,
            delayed=set(map(text, delayed)),
            blocked=set(map(text, blocked)),
            tombstones={text(job): int(count) for job, count in tombstones.items()},
            members=members,
            failed=set(map(text, failed)),
            active={inc: set(map(text, ids)) for inc, ids in zip(members, active, strict=True)},
            keys=sorted(map(text, keys)),
        )


def _waiting(admin: redis.Redis, queue: str) -> list[str]:
    """The ids in a queue. That of plain jobs is a list, every other one a sorted set."""
    ids = admin.lrange(queue, 0, -1) if queue.endswith("}:ready:0") else admin.zrange(queue, 0, -1)
    return [text(job) for job in ids if isinstance(job, bytes | str)]


# An entry of the hashes that is no job: it keeps Redis from packing them (docs/reference/protocol.md).
_PLACEHOLDER = ""
_COUNTERS = ["added", "completed", "failures", "deleted", "crashes", "revived"]


def text(value: bytes | str) -> str:
    """A reply of Redis as text."""
    return value.decode() if isinstance(value, bytes) else value


def check_invariants(admin: redis.Redis, cluster: str, ledger: Ledger, journals: Iterable[Path]) -> None:
    """Checks I1 to I7 and raises an `AssertionError` that lists all that is broken."""
    broken = broken_invariants(admin, cluster, ledger, journals)
    assert not broken, f"{len(broken)} invariants broken:\n" + "\n".join(broken[:20])


def broken_invariants(admin: redis.Redis, cluster: str, ledger: Ledger, journals: Iterable[Path]) -> list[str]:
    """Checks I1 to I7 and answers all that is broken."""
    read_at = time.monotonic()
    store = Store.read(admin, cluster)
    notes = sorted((note for path in journals for note in read_journal(path)), key=lambda note: note.t)
    begin, end = ledger.undone or (0.0, 0.0)
    notes = [note for note in notes if note.event != "completed" or not begin <= note.t <= end]
    # Workers may go on: the store as it was read does not show what they completed since.
    notes = [note for note in notes if note.event != "completed" or note.t <= read_at]
    completed = Counter(note.job for note in notes if note.event == "completed")
    broken = [
        *_broken_states(store, ledger, set(completed)),
        *_broken_counts(store, ledger),
        *(f"I3: {job} was completed {count} times" for job, count in completed.items() if count > 1),
        *_broken_executions(notes, ledger),
        *(f"I7: key {key} is outside the prefix" for key in store.keys if not key.startswith(f"{{{cluster}}}:")),
    ]
    if len(completed) > store.meta["completed"]:
        broken.append(f"I3: {len(completed)} jobs were reported as completed, Redis accepted {store.meta['completed']}")
    return broken


def check_obliterated(admin: redis.Redis) -> None:
    """Checks I8, after `obliterate` of the only cluster of this server."""
    keys = [text(key) for key in admin.keys("*")]
    assert not keys, f"I8: keys are left after obliterate: {keys}"


def _broken_states(store: Store, ledger: Ledger, completed: set[str]) -> list[str]:
    broken = []
    waiting = Counter(store.ready)
    waiting.subtract(store.tombstones)
    by_owner = {job: owner.split(":")[1] for job, owner in store.owners.items()}
    active = {job for job, owner in store.owners.items() if not owner.endswith(":d")}
    for job in store.jobs:
        places = [
            waiting[job] > 0,
            job in store.delayed,
            job in store.blocked,
            job in active,
            job in store.failed,
        ]
        if sum(places) != 1 or waiting[job] > 1:
            broken.append(f"I1: {job} is waiting, delayed, blocked, active, failed: {places}, {waiting[job]} times in line")
    broken += [f"I1: {job} is active but has no record" for job in active - store.jobs]
    broken += [
        f"I1: {job} is assigned to {inc}, which does not know it"
        for job, inc in by_owner.items()
        if job not in store.active.get(inc, ())
    ]
    broken += [
        f"I1: {job} is active at {inc}, but is {by_owner.get(job)}'s"
        for inc, jobs in store.active.items()
        for job in jobs
        if by_owner.get(job) != inc
    ]
    expected = set(ledger.added) - ledger.deleted
    there = store.jobs | store.failed
    broken += [f"I1: {job} is completed and still there" for job in completed & store.jobs]
    broken += [f"I1: {job} is there, but was never added" for job in there - set(ledger.added)]
    # A worker may have crashed between the acceptance of a completion and its note of it.
    unnoted = expected - there - completed - ledger.doubtful
    if len(unnoted) > store.meta["completed"] - len(completed & expected):
        broken.append(f"I1: {len(unnoted)} jobs are lost, among them {sorted(unnoted)[:3]}")
    return broken


def _broken_counts(store: Store, ledger: Ledger) -> list[str]:
    meta = store.meta
    broken = []
    if meta["added"] + meta["revived"] != meta["completed"] + meta["failures"] + meta["deleted"] + len(store.jobs):
        broken.append(f"I2: counts do not sum: {meta}, {len(store.jobs)} jobs are there")
    if not len(ledger.added) - len(ledger.doubtful) <= meta["added"] <= len(ledger.added):
        broken.append(f"I2: {len(ledger.added)} jobs were added, Redis counted {meta['added']}")
    return broken


def _broken_executions(notes: list[Note], ledger: Ledger) -> list[str]:
    broken = []
    executions: dict[str, list[int]] = defaultdict(list)
    accepted: dict[str, int] = {}
    for note in notes:
        if note.event == "add":
            if executions[note.job] and note.fence <= executions[note.job][-1]:
                broken.append(f"I4: {note.job} was assigned with fence {note.fence} after {executions[note.job]}")
            if note.job in accepted:
                broken.append(f"I5: {note.job} started again after its completion was accepted")
            executions[note.job].append(note.fence)
            payload = ledger.added.get(note.job)
            if payload is not None and payload.hex() != note.fields["payload"]:
                broken.append(f"I6: {note.job} arrived as {note.fields['payload'][:80]}, was {payload.hex()[:80]}")
        elif note.event == "completed":
            if note.fence != executions[note.job][-1]:
                broken.append(f"I5: {note.job} was completed with fence {note.fence}, its executions have {executions[note.job]}")
            accepted[note.job] = note.fence
    return broken
