"""Measures libswarm in every language against the limit of the same Redis. `run.py [--quick] [--only LANGUAGE,...]`."""

import argparse
import contextlib
import pathlib
import sys

import report
import workloads
from measure import Figures, server

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
RELEASE = ROOT / "target" / "release"
RAW = [str(RELEASE / "bench-raw")]
LANGUAGES = {
    "rust": [str(RELEASE / "bench-rust")],
    "c": [str(ROOT / "target" / "bench" / "bench-c")],
    "node": ["node", str(HERE / "node" / "main.mjs")],
    "python": [sys.executable, str(HERE / "python" / "main.py")],
}
RESULT = ROOT / "target" / "bench" / "libswarm.json"


class Size:
    def __init__(self, quick):
        self.rounds = 1 if quick else 3
        self.jobs = 20_000 if quick else 100_000
        self.samples = 200 if quick else 1_000
        self.waiting = 20_000 if quick else 100_000
        self.schedules = 1_000 if quick else 100_000
        self.idle_seconds = 6 if quick else 25
        self.crowd_jobs = 10_000 if quick else 100_000
        self.crowd_waiting = 50_000 if quick else 1_000_000
        self.crowd_members = 100 if quick else 1_000


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run of under a minute; its figures mean little")
    parser.add_argument("--only", help="languages to measure, separated by commas")
    parser.add_argument("--skip-crowds", action="store_true", help="without the runs with many jobs and many members")
    arguments = parser.parse_args()
    size = Size(arguments.quick)
    chosen = arguments.only.split(",") if arguments.only else list(LANGUAGES)
    commands = {language: LANGUAGES[language] for language in chosen}
    figures = Figures()
    with server() as redis:
        for round_number in range(size.rounds):
            report.progress(f"round {round_number + 1} of {size.rounds}")
            measure_once(redis, figures, commands, size)
        for language, command in commands.items():
            report.progress(f"memory, {language}")
            workloads.waiting_memory(redis, figures, language, command, size.waiting)
        if "rust" in commands:
            queues(redis, figures, commands["rust"], size)
        if "rust" in commands and not arguments.skip_crowds:
            crowds(redis, figures, commands["rust"], size)
    with contextlib.ExitStack() as stack:
        report.progress("idle workers")
        servers = [stack.enter_context(server()) for _ in commands]
        workloads.idle(servers, figures, commands, size.idle_seconds)
    figures.write(RESULT)
    report.table(figures, chosen)
    print(f"\nAll figures: {RESULT.relative_to(ROOT)}")


def measure_once(redis, figures, commands, size):
    """Every language between two runs of the raw limit, because the machine's other work changes the figures of both alike."""
    before = raw(redis, figures, size)
    for language, command in commands.items():
        report.progress(f"  {language}")
        measured = {
            "bulk": workloads.add_then_drain(redis, figures, language, command, "bulk", "bulk", size.jobs),
            "bulk_concurrent": workloads.concurrent(redis, figures, language, command, "bulk_concurrent", "bulk", size.jobs),
            "one_by_one": workloads.add_then_drain(redis, figures, language, command, "one_by_one", "one", size.jobs),
            "dispatch": workloads.dispatch(redis, figures, language, command, size.samples),
        }
        if language != "c":
            workloads.stages(redis, figures, language, command, size.samples)
        after = raw(redis, figures, size)
        for workload, value in measured.items():
            limit = (before[workload] + after[workload]) / 2
            figures.add(language, workload, "ratio_to_raw", value / limit, "x")
        before = after


def raw(redis, figures, size):
    """The limit of each workload. Adds one by one have that of adds in bulk."""
    report.progress("  raw")
    bulk = workloads.add_then_drain(redis, figures, "raw", RAW, "bulk", "bulk", size.jobs)
    concurrent = workloads.concurrent(redis, figures, "raw", RAW, "bulk_concurrent", "bulk", size.jobs)
    dispatch = workloads.dispatch(redis, figures, "raw", RAW, size.samples)
    workloads.ping(redis, figures, RAW, size.samples)
    return {"bulk": bulk, "bulk_concurrent": concurrent, "one_by_one": bulk, "dispatch": dispatch}


def queues(redis, figures, command, size):
    """What options of jobs cost, each beside plain jobs; how late delayed ones are; results beside two hand-overs."""
    kinds = {
        "bulk_priority": ("priority", size.jobs),
        "bulk_retries": ("retries", size.jobs),
        "bulk_resource": ("resource", size.jobs // 10, 100),
        "bulk_limit": ("limit", size.jobs),
        "bulk_group": ("group", size.jobs, 10),
        "bulk_chain": ("chain", size.jobs // 10),
    }
    for _ in range(size.rounds):
        for workload, (verb, count, *numbers) in kinds.items():
            report.progress(workload)
            plain = workloads.add_then_drain(redis, figures, "rust", command, f"plain_{count}", "bulk", count)
            value = workloads.add_then_drain(redis, figures, "rust", command, workload, verb, count, *numbers)
            figures.add("rust", workload, "ratio_to_plain", value / plain, "x")
        report.progress("delayed jobs, results")
        workloads.delayed(redis, figures, "rust", command, size.samples, 200)
        hand_over = workloads.dispatch(redis, figures, "raw", RAW, size.samples)
        value = workloads.round_trip(redis, figures, "rust", command, size.samples)
        figures.add("rust", "round_trip", "ratio_to_two_hand_overs", value / (2 * hand_over), "x")
        report.progress("messages")
        for members, share in ((1, 1), (100, 10)):
            workloads.messages(redis, figures, "rust", command, members, size.jobs // share // 5, size.samples // share)
    report.progress("a job that waits for many")
    workloads.fan_in(redis, figures, "rust", command, 10_000)
    report.progress("limits")
    workloads.limits(redis, figures, "rust", command, size.samples // 5, 20, size.crowd_waiting)
    report.progress("schedules")
    workloads.schedules(redis, figures, "rust", command, size.schedules, size.samples // 5, 100)


def crowds(redis, figures, command, size):
    """Few and many in turn, so that both see the same machine."""
    for _ in range(size.rounds):
        report.progress("many jobs waiting")
        for waiting in (size.crowd_jobs, size.crowd_waiting):
            workloads.crowded_queue(redis, figures, "rust", command, waiting, size.crowd_jobs)
        report.progress("many members")
        for members in (0, size.crowd_members):
            workloads.crowded_cluster(redis, figures, "rust", command, members, size.crowd_jobs)
    few = figures.median("rust", f"waiting_{size.crowd_jobs}", "cpu_us_per_job")
    many = figures.median("rust", f"waiting_{size.crowd_waiting}", "cpu_us_per_job")
    figures.add("rust", f"waiting_{size.crowd_waiting}", "ratio_to_few", many / few, "x")
    few = figures.median("rust", "members_0", "cpu_us_per_job")
    many = figures.median("rust", f"members_{size.crowd_members}", "cpu_us_per_job")
    figures.add("rust", f"members_{size.crowd_members}", "ratio_to_few", many / few, "x")


if __name__ == "__main__":
    main()
