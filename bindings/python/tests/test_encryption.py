"""Values that are encrypted and compressed on their way to Redis."""

from __future__ import annotations

from typing import Any

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker

KEYS = "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER = "k2:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SECRET = "plain-text-marker"


def work(job: Job) -> Any:
    job.progress(SECRET)
    if job.payload == b"fails":
        raise ValueError(SECRET)
    return {"got": job.payload}


def test_only_members_with_the_key_read_values(cluster: str, url: str) -> None:
    options: Any = {"url": url, "codec_keys": KEYS, "codec_required": True, "compress_from": 64}
    worker = Worker(cluster, **options)
    worker.process(work)
    with Master(cluster, **options) as master, Master(cluster, url=url, codec_keys=OTHER) as blind, worker:
        assert master.run(SECRET * 10, id="a") == {"got": SECRET * 10}
        master.add(b"fails", id="b", result=True)
        with pytest.raises(libswarm.SwarmJobFailed, match=SECRET):
            master.result("b", timeout=SOON)
        with pytest.raises(libswarm.SwarmCodec, match="the key `k1`, which this member does not have"):
            blind.result("a")
        shown, hidden = master.job("b"), blind.job("b")
        assert shown is not None
        assert hidden is not None
        assert (shown.payload, shown.payload_encoded) == (b"fails", False)
        assert SECRET in shown.error
        assert hidden.payload_encoded
        assert hidden.payload[0] == 0xFE
        assert SECRET not in repr(hidden)
        blind.add(1, id="c", result=True)
        with pytest.raises(libswarm.SwarmJobFailed) as raised:
            blind.result("c", timeout=SOON)
        assert raised.value.reason == "undecodable"


def test_the_job_of_a_worker_without_the_key_can_be_retried(cluster: str, url: str) -> None:
    with Master(cluster, url=url, codec_keys=KEYS) as master:
        master.add(1, id="a", result=True)
        without = Worker(cluster, url=url)
        without.process(work)
        with without:
            wait_until(lambda: master.stats().failed == 1, SOON, "it has failed")
        having = Worker(cluster, url=url, codec_keys=f"{KEYS}, {OTHER}")
        having.process(work)
        with having:
            assert master.retry_failed() == 1
            assert master.result("a", timeout=SOON) == {"got": 1}


@pytest.mark.parametrize("options", [{"codec_keys": "k1:hunter2"}, {"codec_required": True}, {"compress_from": 63}])
def test_bad_options_are_refused_by_name(cluster: str, url: str, options: dict[str, Any]) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=next(iter(options))) as raised:
        Master(cluster, url=url, **options)
    assert "hunter2" not in str(raised.value)
