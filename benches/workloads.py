"""The workloads. Each runs the programs of one language and notes its figures."""

import time

from measure import Cpu, Program, percentile

PAUSE_US = 3000
# Until many schedules are due: more than it takes to set them and to measure another.
DUE_MS = 120_000


def _split(figures, language, workload, count, **micros):
    """Notes CPU per job by process, and returns the sum."""
    for name, value in micros.items():
        figures.add(language, workload, f"cpu_us_per_job_{name}", value / count, "us")
    total = sum(micros.values()) / count
    figures.add(language, workload, "cpu_us_per_job", total, "us")
    return total


def add_then_drain(redis, figures, language, command, workload, verb, count, *numbers):
    """All jobs are added while no worker is there; then a worker takes and completes them."""
    redis.flush()
    worker = Program(command, "worker", redis.url, "bench")
    producer = Program(command, "producer", redis.url, "bench")
    with Cpu(producer=producer.pid, redis=redis.process.pid) as adding:
        producer.tell(verb, count, *numbers)
        (added_ns,) = producer.expect("done")
    producer.close()
    with Cpu(worker=worker.pid, redis=redis.process.pid) as draining:
        worker.tell("drain", count)
        worker.expect("started")
        (drained_ns,) = worker.expect("done")
    worker.close()
    figures.add(language, workload, "jobs_per_s_added", count / added_ns * 1e9, "1/s")
    figures.add(language, workload, "jobs_per_s_finished", count / drained_ns * 1e9, "1/s")
    figures.add(language, workload, "cpu_us_per_job_redis_adding", adding.micros["redis"] / count, "us")
    figures.add(language, workload, "cpu_us_per_job_redis_finishing", draining.micros["redis"] / count, "us")
    redis_micros = adding.micros["redis"] + draining.micros["redis"]
    return _split(
        figures, language, workload, count,
        producer=adding.micros["producer"], worker=draining.micros["worker"], redis=redis_micros,
    )  # fmt: skip


def concurrent(redis, figures, language, command, workload, verb, count):
    """The worker takes jobs while they are added."""
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    worker.tell("drain", count)
    worker.expect("started")
    begun = time.monotonic_ns()
    with Cpu(producer=producer.pid, worker=worker.pid, redis=redis.process.pid) as both:
        producer.tell(verb, count)
        (added_ns,) = producer.expect("done")
        worker.expect("done")
    finished_ns = time.monotonic_ns() - begun
    producer.close()
    worker.close()
    figures.add(language, workload, "jobs_per_s_added", count / added_ns * 1e9, "1/s")
    figures.add(language, workload, "jobs_per_s_finished", count / finished_ns * 1e9, "1/s")
    return _split(figures, language, workload, count, **both.micros)


def _one_at_a_time(redis, command, count, verb):
    """Jobs one at a time to an idle worker; what the worker prints about them."""
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    worker.tell(verb, count)
    worker.expect("started")
    producer.tell("dispatch", count, PAUSE_US)
    producer.expect("done")
    numbers = worker.expect("done")
    producer.close()
    worker.close()
    return numbers


def dispatch(redis, figures, language, command, count):
    """One job at a time to an idle worker: from before the add to the start of the handler."""
    # The first ones find cold caches and scripts that are not loaded.
    samples = _one_at_a_time(redis, command, count, "dispatch")[count // 20 :]
    p50 = percentile(samples, 0.5) / 1000
    figures.add(language, "dispatch", "dispatch_p50_us", p50, "us")
    figures.add(language, "dispatch", "dispatch_p99_us", percentile(samples, 0.99) / 1000, "us")
    return p50


STAGES = ("redis", "read", "queued", "taken", "started")
"""Where the time of a dispatch goes: until the script runs, the worker has read its inbox, the event is queued, the program takes it, its handler starts."""


def stages(redis, figures, language, command, count):
    """As `dispatch`, taken apart. The fence of a job is the time of its assignment on the server's clock."""
    numbers = _one_at_a_time(redis, command, count, "stages")
    wall = time.time_ns() - time.monotonic_ns()
    spans = {stage: [] for stage in STAGES}
    for at in range(count // 20 * 6, len(numbers), 6):
        sent, fence, *later = numbers[at : at + 6]
        times = [sent, fence * 1000 - wall, *later]
        for stage, begun, ended in zip(STAGES, times[:-1], times[1:], strict=True):
            spans[stage].append(ended - begun)
    for stage, samples in spans.items():
        figures.add(language, "stages", f"stage_{stage}_p50_us", percentile(samples, 0.5) / 1000, "us")


def delayed(redis, figures, language, command, count, delay_ms):
    """How late delayed jobs start at an idle worker."""
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    worker.tell("dispatch", count)
    worker.expect("started")
    producer.tell("delayed", count, delay_ms)
    producer.expect("done")
    samples = worker.expect("done")
    producer.close()
    worker.close()
    figures.add(language, "delayed", "late_p50_ms", percentile(samples, 0.5) / 1e6, "ms")
    figures.add(language, "delayed", "late_p99_ms", percentile(samples, 0.99) / 1e6, "ms")


def schedules(redis, figures, language, command, count, ticks, interval_ms):
    """How late a schedule fires while `count` others wait, and the longest script while all of these fire at once."""
    redis.flush()
    scheduler = Program(command, "scheduler", redis.url, "bench")
    _watch_scripts(redis)
    begun = time.monotonic()
    scheduler.tell("fill", count, DUE_MS)
    scheduler.expect("done")
    scheduler.tell("ticks", ticks, interval_ms)
    samples = scheduler.expect("done")
    if time.monotonic() - begun > DUE_MS / 1000:
        raise SystemExit("the machine is too slow: schedules were due before the others were measured")
    scheduler.tell("fired", count)
    scheduler.expect("done")
    longest_ms = _longest_script_ms(redis)
    scheduler.close()
    figures.add(language, "schedules", "late_p50_ms", percentile(samples, 0.5) / 1e6, "ms")
    figures.add(language, "schedules", "late_p99_ms", percentile(samples, 0.99) / 1e6, "ms")
    figures.add(language, "schedules", "longest_script_ms", longest_ms, "ms")


def fan_in(redis, figures, language, command, count):
    """The longest script while a flow is added of which one job waits for all others, and while a worker completes it."""
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    _watch_scripts(redis)
    producer.tell("fan_in", count)
    producer.expect("done")
    worker.tell("drain", count)
    worker.expect("started")
    worker.expect("done")
    longest_ms = _longest_script_ms(redis)
    producer.close()
    worker.close()
    figures.add(language, "fan_in", "longest_script_ms", longest_ms, "ms")


def _watch_scripts(redis):
    redis.call("CONFIG", "SET", "slowlog-log-slower-than", "1000", "slowlog-max-len", "1000")
    redis.call("SLOWLOG", "RESET")


def _longest_script_ms(redis):
    """The longest call of a script since `_watch_scripts`, at least 1. The first EVAL of a script, which compiles it, is not counted."""
    slowest = max((entry[2] for entry in redis.call("SLOWLOG", "GET", "1000") if entry[3][0].lower() == "evalsha"), default=1000)
    redis.call("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    return slowest / 1000


def limits(redis, figures, language, command, starts, interval_ms, waiting):
    """How late the next job of a rate starts while `waiting` jobs wait."""
    redis.flush()
    limiter = Program(command, "limiter", redis.url, "bench")
    limiter.tell("starts", starts, interval_ms, waiting)
    samples = limiter.expect("done")
    limiter.close()
    figures.add(language, "limits", "late_p50_ms", percentile(samples, 0.5) / 1e6, "ms")
    figures.add(language, "limits", "late_p99_ms", percentile(samples, 0.99) / 1e6, "ms")


def round_trip(redis, figures, language, command, count):
    """One job at a time with its result: from before the add to the result at the producer."""
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    worker.tell("drain", count)
    worker.expect("started")
    producer.tell("run", count, PAUSE_US)
    samples = producer.expect("done")
    worker.kill()
    producer.close()
    samples = samples[count // 20 :]
    p50 = percentile(samples, 0.5) / 1000
    figures.add(language, "round_trip", "round_trip_p50_us", p50, "us")
    figures.add(language, "round_trip", "round_trip_p99_us", percentile(samples, 0.99) / 1000, "us")
    return p50


def messages(redis, figures, language, command, members, count, samples):
    """One sender, so many members that hear all: CPU per delivery of a flood, and the time of one message at a time to the last of them."""
    name = f"messages_to_{members}"
    for verb, number in (("flood", count), ("paced", samples)):
        redis.flush()
        sender = Program(command, "sender", redis.url, "bench")
        recipients = Program(command, "recipients", redis.url, "bench")
        recipients.tell("receive", members, number)
        recipients.expect("started")
        begun = time.monotonic_ns()
        with Cpu(sender=sender.pid, recipients=recipients.pid, redis=redis.process.pid) as cpu:
            sender.tell(verb, number, PAUSE_US)
            sender.expect("done")
            received = recipients.expect("done")
        seconds = (time.monotonic_ns() - begun) / 1e9
        sender.close()
        recipients.close()
        if verb == "flood":
            figures.add(language, name, "deliveries_per_s", members * number / seconds, "1/s")
            _split(figures, language, name, members * number, **cpu.micros)
        else:
            # Of each message, the last to hear it.
            last = [max(received[at : at + members]) for at in range(0, len(received), members)][number // 20 :]
            figures.add(language, name, "latency_p50_us", percentile(last, 0.5) / 1000, "us")
            figures.add(language, name, "latency_p99_us", percentile(last, 0.99) / 1000, "us")


def ping(redis, figures, command, count):
    redis.flush()
    producer = Program(command, "producer", redis.url, "bench")
    producer.tell("ping", count, PAUSE_US)
    samples = producer.expect("done")
    producer.close()
    figures.add("raw", "ping", "round_trip_p50_us", percentile(samples, 0.5) / 1000, "us")
    figures.add("raw", "ping", "round_trip_p99_us", percentile(samples, 0.99) / 1000, "us")


def waiting_memory(redis, figures, language, command, count):
    """Redis' memory with jobs waiting, and without; the producer is gone both times."""
    redis.flush()
    Program(command, "producer", redis.url, "bench").close()
    before = int(redis.info("memory")["used_memory"])
    producer = Program(command, "producer", redis.url, "bench")
    producer.tell("bulk", count)
    producer.expect("done")
    producer.close()
    after = int(redis.info("memory")["used_memory"])
    figures.add(language, "waiting", "bytes_per_waiting_job", (after - before) / count, "bytes")


def idle(servers, figures, commands, seconds):
    """Commands that an idle worker sends. One server per language, all in the same time."""
    watched = []
    for redis, (language, command) in zip(servers, commands.items(), strict=True):
        redis.flush()
        worker = Program(command, "worker", redis.url, "bench")
        worker.tell("idle")
        worker.expect("started")
        watched.append((redis, language, worker))
    counts = [_commands(redis) for redis, _, _ in watched]
    begun = time.monotonic()
    time.sleep(seconds)
    for (redis, language, worker), before in zip(watched, counts, strict=True):
        passed = time.monotonic() - begun
        sent, inside = _commands(redis)
        figures.add(language, "idle", "idle_commands_per_s", (sent - before[0]) / passed, "1/s")
        figures.add(language, "idle", "idle_commands_in_scripts_per_s", (inside - before[1]) / passed, "1/s")
        worker.kill()


def _commands(redis):
    """Commands that clients sent other than this one's INFO, and those that ran inside scripts."""
    calls = {}
    for name, value in redis.info("commandstats").items():
        fields = dict(field.split("=") for field in value.split(","))
        calls[name.removeprefix("cmdstat_")] = int(fields["calls"])
    sent = sum(calls.get(name, 0) for name in ("eval", "evalsha", "xread", "zscore", "ping", "hello"))
    return sent, sum(calls.values()) - calls.get("info", 0) - sent


def crowded_queue(redis, figures, language, command, waiting, count):
    """CPU per job while many jobs wait: the last `count` added to `waiting`, then `count` of them finished."""
    redis.flush()
    worker = Program(command, "worker", redis.url, "bench")
    producer = Program(command, "producer", redis.url, "bench")
    if waiting > count:
        producer.tell("bulk", waiting - count)
        producer.expect("done")
    with Cpu(producer=producer.pid, redis=redis.process.pid) as adding:
        producer.tell("bulk", count)
        producer.expect("done")
    producer.close()
    with Cpu(worker=worker.pid, redis=redis.process.pid) as finishing:
        worker.tell("slice", count)
        worker.expect("started")
        worker.expect("done")
    worker.kill()
    redis_micros = adding.micros["redis"] + finishing.micros["redis"]
    return _split(
        figures, language, f"waiting_{waiting}", count,
        producer=adding.micros["producer"], worker=finishing.micros["worker"], redis=redis_micros,
    )  # fmt: skip


def crowded_cluster(redis, figures, language, command, members, count):
    """CPU per job of one producer and one worker while `members` other workers are registered, each full with one active job."""
    redis.flush()
    holders = None
    if members:
        holders = Program(command, "holders", redis.url, "bench")
        holders.tell("hold", members)
        holders.expect("started")
    producer = Program(command, "producer", redis.url, "bench")
    worker = Program(command, "worker", redis.url, "bench")
    worker.tell("slice", count)
    worker.expect("started")
    with Cpu(producer=producer.pid, worker=worker.pid, redis=redis.process.pid) as both:
        producer.tell("bulk", count)
        producer.expect("done")
        worker.expect("done")
    producer.close()
    worker.kill()
    if holders:
        holders.kill()
    return _split(figures, language, f"members_{members}", count, **both.micros)
