"""Metrics, from threads and event loops."""

from __future__ import annotations

import asyncio
import pickle
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker, aio
from test_aio import in_loop


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a text, as Prometheus reads it."""
    families = list(text_string_to_metric_families(text))
    kinds = [(family.name, family.type) for family in families]
    assert len(set(kinds)) == len(kinds)
    found = [sample for family in families for sample in family.samples]
    read = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(read) == len(found), "no sample is there twice"
    return read


def test_prometheus_reads_the_text_and_finds_what_happened(master: Master, cluster: str, url: str) -> None:
    def run(job: Job) -> int:
        if job.payload < 0:
            raise ValueError("negative")
        return 1

    task = 'a "quoted\\ task'
    worker = Worker(cluster, url=url)
    worker.process({"": run, task: run})
    with worker:
        master.run_many([1] * 20)
        with pytest.raises(libswarm.SwarmJobFailed):
            master.run(-1, task=task, retries=1, backoff=0)
        read = samples(master.metrics())

    def total(outcome: str, of: str) -> float:
        return read["swarm_jobs_total", (("outcome", outcome), ("task", of))]

    assert (total("completed", ""), total("failed", ""), total("failed", task), total("retried", task)) == (20, 0, 1, 1)
    for name in ("swarm_job_wait_seconds", "swarm_job_run_seconds"):
        of_task = [(dict(labels), value) for (sample, labels), value in read.items() if sample == f"{name}_bucket"]
        buckets = [(labels["le"], value) for labels, value in of_task if labels["task"] == ""]
        counts = [value for _, value in sorted(buckets, key=lambda bucket: float(bucket[0]))]
        assert counts == sorted(counts)
        assert counts[-1] == read[f"{name}_count", (("task", ""),)] == 20
        assert 0 < read[f"{name}_sum", (("task", ""),)] < 20 * SOON
    assert read["swarm_members", (("role", "master"),)] == 1
    assert read["swarm_redis_memory_bytes", ()] > 0
    assert read["swarm_script_seconds_count", ()] > read["swarm_script_seconds_sum", ()] > 0


def test_slots_of_workers_and_the_oldest_waiting_job(master: Master, cluster: str, url: str) -> None:
    jobs: list[Job] = []
    worker = Worker(cluster, url=url, slots=3)
    worker.on("add", jobs.append)
    with worker:
        master.add(1)
        master.add(2, task="later")
        wait_until(lambda: jobs, SOON, "the job")
        read = samples(master.metrics())
        slots = [read["swarm_slots", (("state", state),)] for state in ("busy", "free", "paused")]
        assert slots == [1, 2, 0]
        assert read["swarm_oldest_waiting_seconds", (("task", "later"),)] < SOON
        worker.pause()
        wait_until(lambda: samples(master.metrics())["swarm_slots", (("state", "paused"),)] == 2, SOON, "paused slots")


def test_the_history_has_a_row_for_each_task_and_slot(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url)
    worker.process({"mail": lambda job: time.sleep(0.02)})
    with worker:
        master.run_many([1, 2, 3], task="mail")
    now = time.time()
    for resolution in ("minute", "hour"):
        rows = master.metrics_history(resolution, start=now - 7200, end=now + 60, task="mail")
        assert {row.task for row in rows} == {"mail"}
        assert sum(row.completed for row in rows) == sum(row.run.count for row in rows) == 3
        row = max(rows, key=lambda row: row.run.count)
        assert row.run.p50 is not None
        assert row.run.p99 is not None
        assert 0.01 <= row.run.p50 <= row.run.p99
        assert sum(row.run.buckets) == row.run.count
        assert len(row.run.buckets) == 28
        assert now - 7200 <= row.start <= now
        assert pickle.loads(pickle.dumps(row)) == row
    assert master.metrics_history(task="nobody") == []
    assert [row.task for row in master.metrics_history()] == ["mail"] * len(master.metrics_history())
    with pytest.raises(libswarm.SwarmInvalidArgument, match="resolution is `day`; it is `minute` or `hour`"):
        master.metrics_history("day")  # type: ignore[arg-type]
    with pytest.raises(libswarm.SwarmInvalidArgument, match="start is later than end"):
        master.metrics_history(start=2, end=1)


@in_loop
async def test_in_a_loop(cluster: str, url: str) -> None:
    async def run(job: object) -> None:
        await asyncio.sleep(0)

    worker = aio.Worker(cluster, url=url)
    worker.process(run)
    async with aio.Master(cluster, url=url) as master, worker:
        await master.run(1)
        assert samples(await master.metrics())["swarm_jobs_total", (("outcome", "completed"), ("task", ""))] == 1
        assert sum(row.completed for row in await master.metrics_history("hour")) == 1
