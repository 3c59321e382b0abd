"""The table that is printed: each figure beside what it is to reach."""

import sys

from workloads import STAGES

# CPU per job of bulk adds, as a multiple of raw.
BULK = {"rust": 1.4, "c": 1.7, "node": 2.3, "python": 2.3}
ONE_BY_ONE = 1.5
DISPATCH = {"rust": 2.8, "c": 2.8, "python": 3.4, "node": 3.8}
WAITING_BYTES = 240
IDLE_COMMANDS = 1
CROWD = 1.3
# CPU per job, as a multiple of a plain one.
OPTIONS = {"bulk_priority": 1.15, "bulk_retries": 2, "bulk_resource": 2, "bulk_limit": 2, "bulk_group": 1.5, "bulk_chain": 2}
# Milliseconds after a delayed job is due, and results as a multiple of two hand-overs.
LATE_MS = 20
SCRIPT_MS = 5
# Milliseconds after a rate allows a start.
START_MS = 10
ROUND_TRIP = 2.6


def progress(text):
    print(text, file=sys.stderr, flush=True)


def table(figures, languages):
    print("\nCPU per job in us: producer + worker + redis (adding + finishing), and as a multiple of raw in the runs beside it")
    for workload, factor in (("bulk", 1), ("bulk_concurrent", None), ("one_by_one", ONE_BY_ONE)):
        print(f"\n{workload}")
        for language in ["raw", *languages]:
            if figures.median(language, workload, "cpu_us_per_job") is not None:
                target = BULK[language] * factor if factor and language in BULK else None
                _throughput(figures, language, workload, target)
    print("\ndispatch to an idle worker, us")
    for language in ["raw", *languages]:
        p50, p99 = (figures.median(language, "dispatch", f"dispatch_{share}_us") for share in ("p50", "p99"))
        print(f"  {language:7} p50 {p50:7.1f}  p99 {p99:8.1f}  {_ratio(figures, language, 'dispatch', DISPATCH.get(language))}")
    stages = {key[0] for key in figures.values if key[1] == "stages"}
    if stages:
        print("  p50 of its stages: add called - script runs - inbox read - event queued - taken by the program - handler started")
    for language in languages:
        if language in stages:
            spans = (figures.median(language, "stages", f"stage_{stage}_p50_us") for stage in STAGES)
            print(f"  {language:7} " + " + ".join(f"{span:6.1f}" for span in spans))
    pings = [figures.median("raw", "ping", f"round_trip_{share}_us") for share in ("p50", "p99")]
    print(f"  PING    p50 {pings[0]:7.1f}  p99 {pings[1]:8.1f}")
    print("\nwaiting and idle")
    for language in languages:
        waiting = figures.median(language, "waiting", "bytes_per_waiting_job")
        idle = figures.median(language, "idle", "idle_commands_per_s")
        inside = figures.median(language, "idle", "idle_commands_in_scripts_per_s")
        print(
            f"  {language:7} {waiting:6.1f} bytes per waiting job {_verdict(waiting, WAITING_BYTES)}   "
            f"{idle:5.2f} commands/s idle {_verdict(idle, IDLE_COMMANDS)} (and {inside:.2f} inside scripts)"
        )
    _queues(figures)
    _messages(figures)
    crowds = [key for key in figures.values if key[2] == "ratio_to_few"]
    if crowds:
        print("\nCPU per job in a crowd, as a multiple of the figure with few")
        for language, workload, metric, _ in crowds:
            ratio = figures.median(language, workload, metric)
            total = figures.median(language, workload, "cpu_us_per_job")
            print(f"  {language:7} {workload:16} {total:6.2f} us  {ratio:5.2f} x  {_verdict(ratio, CROWD)}")


def _queues(figures):
    plain = [key for key in figures.values if key[2] == "ratio_to_plain"]
    if not plain:
        return
    print("\njobs with options, CPU as a multiple of plain jobs beside them")
    for language, workload, metric, _ in plain:
        total = figures.median(language, workload, "cpu_us_per_job")
        ratio = figures.median(language, workload, metric)
        print(f"  {language:7} {workload:16} {total:6.2f} us  {ratio:5.2f} x  {_verdict(ratio, OPTIONS[workload])}")
    late = [figures.median("rust", "delayed", f"late_{share}_ms") for share in ("p50", "p99")]
    print(f"  delayed jobs are late by p50 {late[0]:.1f} ms, p99 {late[1]:.1f} ms {_verdict(late[1], LATE_MS)}")
    late = [figures.median("rust", "schedules", f"late_{share}_ms") for share in ("p50", "p99")]
    limited = [figures.median("rust", "limits", f"late_{share}_ms") for share in ("p50", "p99")]
    print(f"  starts of a rate p50 {limited[0]:.1f} ms, p99 {limited[1]:.1f} ms late {_verdict(limited[1], START_MS)}")
    longest = figures.median("rust", "schedules", "longest_script_ms")
    print(f"  schedules fire p50 {late[0]:.1f} ms, p99 {late[1]:.1f} ms late {_verdict(late[1], LATE_MS)}")
    print(f"  many of them at once: the longest script takes at most {longest:.1f} ms {_verdict(longest, SCRIPT_MS)}")
    longest = figures.median("rust", "fan_in", "longest_script_ms")
    print(f"  a job waits for 9,999 others: the longest script takes {longest:.1f} ms {_verdict(longest, SCRIPT_MS)}")
    trips = [figures.median("rust", "round_trip", f"round_trip_{share}_us") for share in ("p50", "p99")]
    ratio = figures.median("rust", "round_trip", "ratio_to_two_hand_overs")
    print(f"  results come back after p50 {trips[0]:.0f} us, p99 {trips[1]:.0f} us, {ratio:.2f} x two hand-overs {_verdict(ratio, ROUND_TRIP)}")


def _messages(figures):
    names = [key for key in figures.values if key[2] == "deliveries_per_s"]
    if names:
        print("\nmessages: CPU per delivery in us (sender + recipients + redis), deliveries per second, and until the last has received one")
    for language, name, metric, _ in names:
        parts = " + ".join(f"{figures.median(language, name, 'cpu_us_per_job_' + part):5.2f}" for part in ("sender", "recipients", "redis"))
        rate = figures.median(language, name, metric)
        late = [figures.median(language, name, f"latency_{share}_us") for share in ("p50", "p99")]
        print(f"  {language:7} {name:16} {parts}  {rate:9.0f}/s  p50 {late[0]:.0f} us, p99 {late[1]:.0f} us")


def _throughput(figures, language, workload, target):
    def value(metric):
        return figures.median(language, workload, metric) or 0

    parts = " + ".join(f"{value('cpu_us_per_job_' + name):5.2f}" for name in ("producer", "worker", "redis"))
    halves = ""
    if value("cpu_us_per_job_redis_adding"):
        halves = f"({value('cpu_us_per_job_redis_adding'):.2f} + {value('cpu_us_per_job_redis_finishing'):.2f})"
    print(
        f"  {language:7} {parts} {halves:13} = {value('cpu_us_per_job'):6.2f}  {_ratio(figures, language, workload, target):28}"
        f"{value('jobs_per_s_added'):9.0f} added/s {value('jobs_per_s_finished'):9.0f} finished/s"
    )


def _ratio(figures, language, workload, target):
    ratio = figures.median(language, workload, "ratio_to_raw")
    if ratio is None:
        return ""
    return f"{ratio:5.2f} x  {_verdict(ratio, target) if target else ''}"


def _verdict(value, target):
    return f"(at most {target:g}{'' if value <= target else ', MISSED'})"
