"""What a viewer sees and does, in Chromium."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from libswarm import Master, NewJob
from swarm_support import Redis, wait_until
from viewer import CLUSTER, SWARM, Dashboard, Page, Swarm

Start = Callable[..., Dashboard]
Browse = Callable[[Dashboard], Page]


def fail_some(swarm: Swarm, tmp_path: Path, count: int) -> None:
    """Jobs that fail with the same error but for a number."""
    script = tmp_path / "fails.sh"
    script.write_text('#!/bin/sh\necho "host-$$ refused the connection" >&2\nexit 1\n')
    script.chmod(0o755)
    worker = swarm.start("run", "send", "--slots", "4", "--", str(script))
    for number in range(count):
        swarm("add", "send", '{"to": "ada@example.org", "password": "secret"}', "--id", f"send-{number}")
    wait_until(lambda: swarm.stats()["failed"] == count, 20, "failed jobs")
    worker.terminate()
    worker.wait(20)


def test_the_overview_is_live(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    page = browse(dashboard())
    page.open("overview")
    page.shows("live", "0\nwaiting", "Jobs per second")
    swarm("add", "send", "1")
    swarm("add", "send", "2", "--delay", "1h")
    page.shows("1\nwaiting", "1\ndelayed", "First to be assigned")
    assert page.problems() == []


def test_waits_and_runs_of_the_last_hour_are_drawn(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    swarm.start("run", "send", "--slots", "2", "--", "cat")
    for number in range(4):
        swarm("add", "send", str(number))
    wait_until(lambda: swarm.stats()["completed"] == 4, 20, "completed jobs")
    server = dashboard()
    [minute, *_] = server.get("api/history")["minutes"]
    assert 0 < minute["run50"] <= minute["run99"] < 10_000
    page = browse(server)
    page.open("overview")
    page.shows("Wait of the last hour", "Run of the last hour", "p99")
    assert page.problems() == []


def test_waits_and_runs_are_shown_by_task(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    swarm.start("run", "send", "--", "cat")
    swarm("add", "send", "1")
    swarm("add", "report", "1")
    wait_until(lambda: swarm.stats()["completed"] == 1, 20, "a completed job")
    server = dashboard()
    tasks = server.get("api/recent")["tasks"]
    assert tasks["send"]["run"]["count"] == 1
    assert tasks["report"]["oldest_waiting_ms"] >= 0
    page = browse(server)
    page.open("tasks")
    page.shows("Wait p50 / p95 / p99", "report\t1", "no worker", " ms / ")
    assert page.problems() == []


def test_the_page_of_a_job_shows_its_flow(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    with Master(CLUSTER, url=swarm.redis.url) as master:
        first, second = NewJob(1, id="first", task="fetch"), NewJob(2, id="second", task="merge", after=["first"])
        master.add_flow([first, second], id="import")
    page = browse(dashboard())
    page.open("job?id=second")
    page.shows("Flow import of 2 jobs", "first\twaiting", "second\tblocked\tfirst")
    page.click("first")
    page.shows("fetch", "first\twaiting")
    assert page.problems() == []


@pytest.mark.long
def test_a_million_jobs(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    with Master(CLUSTER, url=swarm.redis.url) as master:
        for start in range(0, 1_000_000, 10_000):
            master.add_many(list(range(start, start + 10_000)), task="send")
    page = browse(dashboard())
    page.open("overview")
    page.shows("1,000,000\nwaiting")
    page.open("tasks")
    page.shows("send\t1,000,000")
    page.open("jobs?state=waiting")
    page.shows("Next page")
    page.click("Next page")
    page.shows("First page")
    page.open("jobs?state=waiting&id=no-such-id")
    page.shows("jobs looked at matches")
    assert page.problems() == []


def test_failed_jobs_are_grouped_and_retried_together(swarm: Swarm, dashboard: Start, browse: Browse, tmp_path: Path) -> None:
    fail_some(swarm, tmp_path, 3)
    server = dashboard("--write")
    page = browse(server)
    page.open("failed")
    page.shows("3\tfailed", "refused the connection", "Retry", "Delete")
    page.click("Retry")
    page.shows("Retry all failed jobs with this error?")
    page.click("Retry")
    wait_until(lambda: swarm.stats()["waiting"] == 3, 10, "waiting jobs")
    page.shows("No job has failed.")
    server.process.terminate()
    _, errors = server.process.communicate(timeout=20)
    [line] = [json.loads(line) for line in errors.splitlines() if line.startswith('{"audit"')]
    assert (line["audit"]["action"], line["changed"], line["error"]) == ("retry_failed", 3, "")


def test_payloads_are_hidden_until_they_are_asked_for(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    swarm("add", "send", '{"to": "ada@example.org", "card": {"number": "4111"}}', "--id", "m-1", "--header", "tenant=acme")
    page = browse(dashboard("--redact", "$..number"))
    page.open("jobs?state=waiting")
    page.shows("m-1", "send")
    assert "ada@example.org" not in page.text()
    page.click("m-1")
    page.shows("Header tenant", "acme", "Show payload and result")
    assert "ada@example.org" not in page.text()
    page.click("Show payload and result")
    page.shows("ada@example.org", '"number": "[hidden]"')
    assert "4111" not in page.text()
    assert page.problems() == []


def test_jobs_are_filtered_and_listed_in_pages(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    for number in range(60):
        swarm("add", "send", "1", "--id", f"job-{number:02}")
    swarm("add", "report", "1", "--id", "job-1r", "--priority=-1")
    page = browse(dashboard())
    page.open("jobs?state=waiting")
    page.shows("job-00", "job-49", "Next page")
    assert "job-50" not in page.text()
    page.click("Next page")
    page.shows("job-50", "job-59", "job-1r", "First page")
    page.open("jobs?state=waiting&task=send&id=job-1")
    page.shows("job-10", "job-19")
    assert "job-1r" not in page.text()
    page.open("jobs?state=waiting&task=none")
    page.shows("None of the 61 jobs looked at matches.")
    page.open("jobs?state=lost")
    page.shows("state is `lost`, it must be waiting")


def test_tasks_and_workers_are_paused_and_resumed(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    swarm.start("run", "send", "--slots", "2", "--", "cat")
    wait_until(lambda: swarm.stats()["members"] >= 1, 10, "a worker")
    page = browse(dashboard("--write"))
    page.open("tasks")
    page.click("Pause")
    page.click("Pause")
    page.shows("paused")
    swarm("add", "send", "1")
    page.shows("send\t1")
    page.click("Resume")
    wait_until(lambda: swarm.stats()["completed"] == 1, 10, "the job to run")
    page.open("workers")
    page.click("Drain")
    page.shows("assigned no more.")
    page.click("Drain")
    page.shows("drained")
    assert page.problems() == []


def test_jobs_without_a_task_are_paused(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    swarm("add", "", "1")
    page = browse(dashboard("--write"))
    page.open("tasks")
    page.shows("(no task)")
    page.click("Pause")
    page.shows("Pause jobs without a task?")
    page.click("Pause")
    page.shows("paused", "Resume")
    assert page.problems() == []


def test_schedules_are_run_and_the_error_of_an_action_stays(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    page = browse(dashboard("--write"))

    def run_now() -> None:
        page.click("Run now")
        page.shows("Run nightly now?")

    with Master(CLUSTER, url=swarm.redis.url) as master:
        master.schedule("nightly", cron="0 3 * * *", task="report")
        page.open("schedules")
        run_now()
        page.click("Run now")
        page.shows("A job was added.")
        run_now()
        page.click("Run now")
        page.shows("No job was added: the job before has not finished")
        run_now()
        master.unschedule("nightly")
    page.click("Run now")
    # The page was read again after the action.
    page.shows("There is no schedule.", "there is no schedule `nightly`")
    page.open("limits")
    page.shows("There is no limit.")
    assert "nightly" not in page.text()


def test_missing_objects_are_named(dashboard: Start) -> None:
    server = dashboard("--write")

    def error(**action: object) -> str:
        status, document = server.request("api/action", action)
        assert status in (400, 404)
        return str(document["error"]["message"])

    assert "`nightly`" in error(action="run_schedule", id="nightly")
    assert error(action="delete", id="j") == "the job `j` is gone; nothing was changed"
    assert (
        error(action="pause_worker", worker="0123456789abcdef0123")
        == "the worker `0123456789abcdef0123` is gone; nothing was changed"
    )


def test_a_dashboard_without_write_only_reads(swarm: Swarm, dashboard: Start, browse: Browse, tmp_path: Path) -> None:
    fail_some(swarm, tmp_path, 1)
    server = dashboard()
    page = browse(server)
    page.open("failed")
    page.shows("refused the connection")
    assert "Delete" not in page.text()
    status, document = server.request("api/action", {"action": "delete", "id": "send-0"})
    assert (status, swarm.stats()["failed"]) == (403, 1)
    assert "--write" in document["error"]["message"]


def test_the_keyboard_is_enough(swarm: Swarm, dashboard: Start, browse: Browse) -> None:
    for number in range(3):
        swarm("add", "send", "1", "--id", f"job-{number}")
    page = browse(dashboard())
    page.open("overview")
    page.shows("live")
    page.press("gj")
    page.shows("job-0", "job-2")
    page.press("jj")
    page.driver.execute_script("document.activeElement.blur()")
    page.press(["Enter"])
    page.shows("job-1", "Show payload and result")
    page.press("?")
    page.shows("Next, previous row")


def test_light_and_dark(dashboard: Start, browse: Browse) -> None:
    page = browse(dashboard())
    backs = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        page.open("overview")
        page.shows("live")
        backs.append(page.driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert backs == ["rgb(255, 255, 255)", "rgb(17, 20, 24)"]


def test_the_dashboard_shows_an_outage_of_redis_and_recovers(
    redis: Redis, swarm: Swarm, dashboard: Start, browse: Browse
) -> None:
    page = browse(dashboard())
    page.open("overview")
    page.shows("live", "waiting")
    redis.stop()
    page.shows("Redis is away")
    redis.start()
    page.shows("live", "0\nwaiting", within=30)


EMPTY = {
    "overview": "live",
    "tasks": "No job waits",
    "workers": "No worker is there",
    "jobs": "No job is waiting.",
    "failed": "No job has failed.",
    "schedules": "There is no schedule.",
    "limits": "There is no limit.",
    "redis": "noeviction",
}


def test_an_empty_cluster_is_shown_as_empty(dashboard: Start, browse: Browse) -> None:
    page = browse(dashboard())
    for path, text in EMPTY.items():
        page.open(path)
        page.shows(text)
    assert page.problems() == []


def test_arguments_are_checked(swarm: Swarm) -> None:
    def refused(*arguments: str) -> str:
        command = [str(SWARM), "dashboard", *arguments]
        done = subprocess.run(command, env=swarm.environment, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 2, done.stderr
        return done.stderr

    assert "set a token" in refused("--listen", "0.0.0.0:0")
    assert "16 characters" in refused("--token", "short")
    assert "is no JSON path" in refused("--redact", "user.email")
