"""Fault 18, of live data: whatever is damaged in Redis under members of all languages, no process ends and no call hangs, and
with the damage out of the way all work again. What is damaged follows from a seed; SWARM_DAMAGE_SEED names one."""

import contextlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from evidence import Evidence
from swarm_support import Answer, Driver, Language, Redis, wait_until
from team import Team

# Runs that found something once, and others.
SEEDS = [int(os.environ["SWARM_DAMAGE_SEED"])] if "SWARM_DAMAGE_SEED" in os.environ else [1, 2, 3, 4]
LEASE = 2.0
# Seconds of damage of any kind, for each seed.
SPAN = 8.0
# A call may wait for Redis for the option `timeout`; no call takes longer than this.
ANSWERS_WITHIN = 12.0
# What a call may end with while its cluster is damaged.
TYPED = {"STORE_CORRUPT", "INTERNAL", "UNAVAILABLE", "OUTCOME_UNKNOWN", "TIMEOUT", "NOT_FOUND", "JOB_FAILED", "JOB_DELETED"} | {
    "PROTOCOL_VERSION",
    "STALE_FENCE",
    "LEASE_LOST",
    "INVALID_ARGUMENT",
}

GARBAGE = [
    b"",
    b"\xff" * 9,
    b"\x08\x00\xff\xff",
    b"x" * 70,
    b"\xc1",
    b"0",
    b"-1",
    b"nan",
    b"1e308",
    b"9007199254740993",
    b"a\nb",
    b"__proto__",
]
SCORES = ["-inf", "inf", "0", "-1", "1e300", "9007199254740993", "12345.678"]


def damage(server: Redis, rng: random.Random, keys: list[str]) -> str:
    """Alters one of these keys. Returns a description of the change."""
    key = rng.choice(keys)
    kind = server.command("TYPE", key).decode()
    garbage = rng.choice(GARBAGE)
    match kind:
        case "hash":
            fields = server.command("HKEYS", key) or [b"new"]
            field = rng.choice([*fields, garbage])
            old = server.command("HGET", key, field) or b""
            value = rng.choice([garbage, flipped(old, rng), old[: len(old) // 2], None])
            if value is None:
                server.command("HDEL", key, field)
            else:
                server.command("HSET", key, field, value)
            return f"{key} {field!r} {old[:40]!r} -> {value!r}"
        case "zset":
            members = server.command("ZRANGE", key, 0, -1) or [b"new"]
            member = rng.choice([*members, garbage, b"L:" + garbage, b"T:" + garbage, b"?:"])
            score = rng.choice([*SCORES, None])
            if score is None:
                server.command("ZREM", key, member)
            else:
                server.command("ZADD", key, score, member)
            return f"{key} {member!r} -> {score}"
        case "set":
            members = server.command("SMEMBERS", key) or [b"new"]
            member = rng.choice([*members, garbage])
            server.command(rng.choice(["SADD", "SREM"]), key, member)
            return f"{key} {member!r}"
        case "list":
            server.command(rng.choice(["LPUSH", "RPUSH"]), key, garbage)
            return f"{key} {garbage!r}"
        case "stream":
            server.command("XADD", key, "*", rng.choice([b"j", b"d", b"r", b"e", b"n", b"?", garbage]), garbage)
            return f"{key} {garbage!r}"
    return f"{key} is a {kind}"


def flipped(value: bytes, rng: random.Random) -> bytes:
    """The value with one byte altered."""
    if not value:
        return b"\x00"
    at = rng.randrange(len(value))
    return value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]


def replaced(server: Redis, rng: random.Random, keys: list[str]) -> str:
    """Makes one key another type, or nothing."""
    key = rng.choice(keys)
    server.command("DEL", key)
    match rng.randrange(4):
        case 0:
            server.command("SET", key, "not libswarm's")
        case 1:
            server.command("SADD", key, "not libswarm's")
        case 2:
            server.command("RPUSH", key, "not libswarm's")
    return f"{key} replaced"


def keys_of(server: Redis) -> list[str]:
    return sorted(key.decode(errors="replace") for key in server.command("KEYS", "*"))


def ask(driver: Driver, command: str, **fields: object) -> Answer:
    """A call that must be answered in time, well or with an error of a kind that names the cause."""
    driver.send(command, **fields)
    answer = driver.answer(ANSWERS_WITHIN)
    assert answer.ok or answer.code in TYPED, f"{driver.language} answered `{command}` with {answer.fields}"
    return answer


def traffic(rng: random.Random, members: list[Driver]) -> None:
    """One call of a random kind by a master of a random language."""
    master = rng.choice(members)
    options: dict[str, object] = {}
    for name, value in [("priority", 3), ("task", "t"), ("resource", "r"), ("retries", 2), ("delay", 50), ("run_timeout", 500)]:
        if rng.random() < 0.3:
            options[name] = value
    calls: list[Callable[[], object]] = [
        lambda: ask(master, "add_many", payloads=[b"1"] * rng.randrange(1, 30), **options),
        lambda: ask(master, "add", payload=b"1", id=f"k{rng.randrange(5)}", **options),
        lambda: ask(master, "delete", id=f"k{rng.randrange(5)}"),
        lambda: ask(master, "stats"),
        lambda: ask(master, "queues"),
        lambda: ask(master, "members"),
        lambda: ask(master, "jobs", state=rng.choice(["waiting", "active", "delayed", "blocked", "failed"]), limit=10),
        lambda: ask(master, "retry_failed"),
        lambda: ask(master, "health"),
    ]
    rng.choice(calls)()


@pytest.mark.parametrize("seed", SEEDS)
def test_members_survive_any_damage_and_recover(server: Redis, tmp_path: Path, evidence: Evidence, seed: int) -> None:
    rng = random.Random(seed)
    done: list[str] = []
    with Team(server, tmp_path, LEASE) as team:
        masters = [team.master(language, timeout=2000) for language in Language]
        workers = [team.worker(language, behave="echo", tasks=["", "t"], timeout=2000) for language in Language]
        end = time.monotonic() + SPAN
        try:
            while time.monotonic() < end:
                traffic(rng, masters)
                alter = damage if rng.random() < 0.95 else replaced
                # Members write meanwhile: the key may be of another type by now.
                with contextlib.suppress(redis.ResponseError):
                    done.append(alter(server, rng, keys_of(server) or ["none"]))
                if rng.random() < 0.02:
                    server.command("FLUSHALL")
                    done.append("FLUSHALL")
            for driver in (*masters, *workers):
                assert driver.alive, f"the process of {driver.language} ended"
                ask(driver, "health")

            # With what was damaged out of the way, every member works again without a restart.
            server.command("FLUSHALL")
            before = [team.count(worker, "added") for worker in workers]
            wait_until(lambda: int(ask(masters[0], "stats").get("members") or 0) >= len(workers), 20, "the workers are back")

            def all_work() -> bool:
                for master in masters:
                    ask(master, "add_many", payloads=[b"1"] * 20)
                return all(team.count(worker, "added") > count for worker, count in zip(workers, before, strict=True))

            wait_until(all_work, 20, "every worker is assigned jobs")
            wait_until(lambda: ask(masters[0], "stats").get("waiting") == "0", 10, "every job is done")
            evidence.measured("damages", len(done), at_least=1)
        except BaseException:
            print(f"seed {seed}; the last damages:\n" + "\n".join(done[-30:]))
            raise
