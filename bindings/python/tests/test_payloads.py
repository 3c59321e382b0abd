"""Payloads and results at the edges of what can be sent."""

from __future__ import annotations

import math
from typing import Any

import pytest

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker

DEEP_ENOUGH = 200


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1.5,
    1e300,
    2**53 + 1,
    -(2**63),
    10**30,
    "",
    'quotes " and \\ and / and , ] }',
    "nul \0 and tab \t",
    "Grüße, 世界, 🦀",
    "\u2028\u2029",
    "lone \ud800 surrogate",
    [],
    {},
    {"": {"nested": [1, [2, {"x,]}": "y"}]]}},
    nested(DEEP_ENOUGH),
    b"",
    b"\x00\xff\xfe not UTF-8",
    bytearray(b"mutable"),
    memoryview(b"viewed"),
]


@pytest.fixture
def echo(cluster: str, url: str) -> Any:
    """A worker that returns the payload."""
    worker = Worker(cluster, url=url)
    worker.on("add", lambda job: job.complete(job.payload))
    with worker:
        yield worker


@pytest.mark.usefixtures("echo")
def test_values_return_as_they_were(master: Master) -> None:
    for value in VALUES:
        expected = bytes(value) if isinstance(value, bytearray | memoryview) else value
        answer = master.run(value, timeout=SOON)
        assert answer == expected
        assert type(answer) is type(expected)


@pytest.mark.usefixtures("echo")
def test_many_at_once_are_cut_apart_where_they_end(master: Master) -> None:
    values = [value for value in VALUES if not isinstance(value, bytes | bytearray | memoryview)]
    for many in (values, [b"bytes", *values, bytearray(b"among them")]):
        ids = master.add_jobs(many, result=True)
        assert [master.result(id, timeout=SOON) for id in ids] == many


@pytest.mark.usefixtures("echo")
def test_tuples_and_keys_become_what_json_has(master: Master) -> None:
    assert master.run({1: (2, 3)}, timeout=SOON) == {"1": [2, 3]}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        math.inf,
        {"x": -math.inf},
        object(),
        {1, 2},
        {"bytes": b"inside"},
        {(1, 2): "tuple as key"},
        nested(100_000),
        memoryview(b"not contiguous")[::2],
    ],
    ids=["nan", "inf", "-inf", "object", "set", "bytes inside", "key", "deep", "strided"],
)
def test_values_that_json_cannot_represent_are_refused(master: Master, value: Any) -> None:
    if isinstance(value, memoryview):
        assert master.add_job(value)
        return
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.add_job(value)
    with pytest.raises(ValueError, match="JSON"):
        master.add_jobs([1, value])
    assert master.stats().added == 0


def test_a_cycle_is_refused(master: Master) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="Circular"):
        master.add_job(value)


@pytest.mark.usefixtures("echo")
def test_the_limit_is_in_bytes_and_an_option(master: Master, cluster: str, url: str) -> None:
    limit = 512 * 1024
    assert master.add_job(b"x" * limit)
    with pytest.raises(libswarm.SwarmTooLarge, match="max_payload"):
        master.add_job(b"x" * (limit + 1))
    with Master(cluster, url=url, max_payload=10) as small:
        assert small.add_job("x" * 8)
        with pytest.raises(libswarm.SwarmTooLarge):
            small.add_job("xxxx世世")


def test_a_result_over_the_limit_is_an_error_of_the_completion(master: Master, cluster: str, url: str) -> None:
    with Worker(cluster, url=url) as worker:
        id = master.add_job(result=True)
        for job in worker:
            with pytest.raises(libswarm.SwarmTooLarge):
                job.complete(b"x" * (128 * 1024 + 1))
            with pytest.raises(libswarm.SwarmInvalidArgument):
                job.complete(float("nan"))
            job.complete(b"x" * (128 * 1024)).wait(SOON)
            break
        assert len(master.result(id, timeout=SOON)) == 128 * 1024


def test_a_handler_whose_result_cannot_be_sent_fails(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process(lambda job: {1, 2} if job.payload == "set" else b"x" * (128 * 1024 + 1))
    with worker:
        with pytest.raises(libswarm.SwarmJobFailed, match="set cannot be written as JSON"):
            master.run("set", timeout=SOON)
        with pytest.raises(libswarm.SwarmJobFailed, match="limit"):
            master.run("large", timeout=SOON)


def test_json_that_python_cannot_read_is_still_there_as_bytes(master: Master, cluster: str, url: str) -> None:
    """As other languages may write it: deeper than Python's decoder goes."""
    text = "[" * 20_000 + "]" * 20_000

    class Raw(int):
        def __repr__(self) -> str:
            return text

    # What the encoder takes for a number's digits is written as it is.
    master.add_job(text)
    with Worker(cluster, url=url) as worker:
        for job in worker:
            assert job.payload == text
            assert (job.content_type, job.payload_bytes) == ("json", b'"' + text.encode() + b'"')
            job.complete()
            break


def test_payloads_are_made_once(master: Master, cluster: str, url: str) -> None:
    master.add_jobs([{"mutable": []}, b"bytes"])
    seen: list[Job] = []
    with Worker(cluster, url=url) as worker:
        for job in worker:
            assert job.payload is job.payload
            seen.append(job)
            job.complete()
            if len(seen) == 2:
                break
    seen[0].payload["mutable"].append(1)
    assert seen[0].payload == {"mutable": [1]}
    assert seen[0].payload_bytes == b'{"mutable":[]}'
    assert (seen[1].payload, seen[1].content_type) == (b"bytes", "bytes")


def test_error_texts_may_contain_anything(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)

    @worker.process
    def handle(job: Job) -> None:
        raise RuntimeError("lone \ud800, nul \0, long " + "x" * 100_000)

    with worker, pytest.raises(libswarm.SwarmJobFailed, match=r"RuntimeError: lone .*, nul \0, long x") as caught:
        master.run(timeout=SOON)
    assert len(str(caught.value).encode()) <= 16 * 1024


@pytest.mark.parametrize("id", ["", "a\nb", "x" * 257, "lone \ud800", 7, b"bytes"])
def test_bad_ids_are_typed_errors(master: Master, id: Any) -> None:
    with pytest.raises((libswarm.SwarmInvalidArgument, libswarm.SwarmTooLarge)):
        master.add_job(id=id)
    with pytest.raises((libswarm.SwarmInvalidArgument, libswarm.SwarmTooLarge)):
        master.add_jobs([1], ids=[id])
    with pytest.raises((libswarm.SwarmInvalidArgument, libswarm.SwarmTooLarge)):
        master.delete_job(id)
    with pytest.raises((libswarm.SwarmInvalidArgument, libswarm.SwarmTooLarge)):
        master.result(id)
    assert master.add_job(id="x" * 256)
