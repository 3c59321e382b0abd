"""The conformance driver in Python; README.md beside this folder describes the protocol."""

import asyncio
import ctypes
import json
import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, unquote

import libswarm
import libswarm.aio

# Options that Python takes in seconds.
SECONDS = {"lease", "timeout", "failed_ttl", "result_ttl", "delay", "run_at", "debounce", "max_wait"}
SECONDS |= {"completed_ttl", "keep_completed"}
NUMBERS = {
    "port",
    "db",
    "slots",
    "window",
    "max_payload",
    "max_crashes",
    "prefetch",
    "failed_max",
    "completed_max",
    "compress_from",
    "priority",
    "retries",
    "weight",
    "events_max",
}
# Options of the core's that are fields of one of Python's.
FIELDS = {
    "backoff": ("backoff", "type"),
    "backoff_delay": ("backoff", "delay"),
    "backoff_max": ("backoff", "max"),
    "backoff_jitter": ("backoff", "jitter"),
    "assign_timeout": ("timeouts", "assign"),
    "run_timeout": ("timeouts", "run"),
    "total_timeout": ("timeouts", "total"),
    "unique": ("unique", "key"),
    "unique_until": ("unique", "until"),
    "on_conflict": ("unique", "on_conflict"),
}
# Those of a schedule that Python has in seconds.
SCHEDULE_SECONDS = {"every", "after_end", "start", "end", "jitter", "next_at", "last_at"}
Fields = dict[str, str]
# Unlike CDLL, it keeps the GIL during a call.
LIBC = ctypes.PyDLL(None)


class Answer:
    """An answer line, or a line of the journal, being put together."""

    def __init__(self, start: str = "ok") -> None:
        self._words = [start]

    def __str__(self) -> str:
        return " ".join(self._words)

    def add(self, **fields: object) -> "Answer":
        self._words += [f"{name}={_encoded(value)}" for name, value in fields.items()]
        return self


def _encoded(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.hex()
        case list():
            return ",".join(_encoded(item) for item in value)
        case _:
            return quote(str(value), safe="")


def _error(error: libswarm.SwarmError) -> Answer:
    return Answer("error").add(code=error.kind, message=str(error))


def _value(fields: Fields) -> Any:
    """The payload of a command, as a program would pass it."""
    raw = bytes.fromhex(fields["payload"])
    return raw if fields.get("type") == "bytes" else json.loads(raw)


def _payload(value: Any) -> Fields:
    """A result as Python sees it."""
    if isinstance(value, bytes):
        return {"payload": value.hex(), "type": "bytes"}
    return {"payload": _text(value).encode().hex(), "type": "json"}


def _job_payload(job: libswarm.Job) -> Fields:
    fields = {"payload": job.payload_bytes.hex(), "type": job.content_type}
    try:
        _ = job.payload
    except libswarm.SwarmError as error:
        fields["unreadable"] = error.kind
    return fields


def _hard_value(name: str) -> Any:
    """A value at the edges of what JSON can represent."""
    if name == "deep":
        value: list[Any] = []
        for _ in range(9_999):
            value = [value]
        return value
    return {"big": 2**53 + 1, "surrogate": "\ud800", "nan": float("nan")}[name]


def _limit(fields: Fields) -> float:
    return int(fields["timeout"]) / 1000


def _options(fields: Fields, *own: str) -> dict[str, Any]:
    def converted(name: str, value: str) -> Any:
        if name in SECONDS:
            return int(value) / 1000
        if name == "priority_slots":
            return {int(start): int(slots) for start, slots in (part.split(":") for part in value.split(","))}
        if value in ("true", "false"):
            return value == "true"
        return int(value) if name in NUMBERS else value

    return {name: converted(name, value) for name, value in fields.items() if name not in own}


def _job_options(fields: Fields) -> dict[str, Any]:
    """Every field that is not the command's own is an option of the job."""
    options = _options(fields, "payload", "payloads", "ids", "type", "timeout", "keep", "header", "after", *FIELDS)
    for name, (option, field) in FIELDS.items():
        if name in fields:
            text = field in ("type", "key", "on_conflict") or fields[name] in ("end", "start")
            value: object = fields[name] if text else float(fields[name]) if field == "jitter" else int(fields[name]) / 1000
            options.setdefault(option, {})[field] = value
    if fields.get("limits", "").startswith("["):
        options["limits"] = json.loads(fields["limits"])
    if "after" in fields:
        options["after"] = _list(fields, "after")
    if "header" in fields:
        options["headers"] = dict([fields["header"].split("=", 1)])
    return options


def _schedule_options(fields: Fields) -> dict[str, Any]:
    """The options of a schedule, and those of its jobs, whose fields begin with `job_`."""
    options = _job_options({name[4:]: value for name, value in fields.items() if name.startswith("job_")})
    for name, value in fields.items():
        if name in SCHEDULE_SECONDS:
            options[name] = int(value) / 1000
        elif name not in ("id", "payload", "type") and not name.startswith("job_"):
            options[name] = int(value) if name == "limit" else value
    return options


def _schedule(info: libswarm.ScheduleInfo) -> dict[str, Any]:
    """The fields of a schedule, in milliseconds."""

    def shown(name: str, value: Any) -> Any:
        if value is None:
            return ""
        return round(value * 1000) if name in SCHEDULE_SECONDS else value

    return {name: shown(name, value) for name, value in asdict(info).items()}


def _add(member: libswarm.Master | libswarm.Worker, command: str, fields: Fields) -> Answer:
    """Adds one job or many."""
    if command == "add":
        added = member.add(_value(fields), **_job_options(fields))
        return Answer().add(id=added.id, existed=added.existed, replaced=added.replaced)
    payloads = [json.loads(bytes.fromhex(text)) for text in _list(fields, "payloads")]
    many = member.add_many(payloads, ids=_list(fields, "ids") or None, **_job_options(fields))
    return Answer().add(ids=[job.id for job in many], existed_each=[job.existed for job in many])


def _outcome(outcome: Any) -> str:
    return outcome.kind if isinstance(outcome, libswarm.SwarmError) else bytes.fromhex(_payload(outcome)["payload"]).decode()


def _job(job: libswarm.JobInfo | None) -> Answer:
    if job is None:
        return Answer().add(state="none")
    names = ("state", "holder", "fence", "attempt", "priority", "task", "resource", "group", "limits", "error", "reason")
    progress = "" if job.progress is None else json.dumps(job.progress, separators=(",", ":"))
    checkpoint = "" if job.checkpoint is None else json.dumps(job.checkpoint, separators=(",", ":"))
    result = "" if job.state != "completed" or job.result_omitted else _text(job.result)
    kept: dict[str, Any] = {"result": result, "result_omitted": job.result_omitted, "log": [line.text for line in job.log]}
    kept["failed_attempts"] = [f"{attempt.reason}:{attempt.error}" for attempt in job.failed_attempts]
    return Answer().add(progress=progress, checkpoint=checkpoint, **kept, **{name: getattr(job, name) for name in names})


def _input(one: libswarm.Input) -> dict[str, Any]:
    fields = {"state": one.state, "result": one.result, "reason": one.reason, "error": one.error}
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _data(text: str) -> Any:
    """The value of a JSON text; for what is none, a value that JSON has not."""
    try:
        return json.loads(text)
    except ValueError:
        return object()


Events = queue.SimpleQueue[tuple[Answer, libswarm.Message | None]]


class Messages:
    """The events of a member and what it has to do with messages."""

    def __init__(self, member: libswarm.Master | libswarm.Worker) -> None:
        self._member = member
        self._events: Events = queue.SimpleQueue()
        self._last: libswarm.Message | None = None

    def put(self, answer: Answer) -> None:
        self._events.put((answer, None))

    def obey(self, command: str, fields: Fields) -> Answer | None:
        """None if the command is about something else."""
        member = self._member
        match command:
            case "event":
                return self._next(fields)
            case "listen":
                member.on_message(self._on_message)
                member.on_kill(self._on_kill)
                member.ready()
            case "watch":
                member.on_member(self._on_member)
                member.ready()
            case "send":
                return self._send(fields)
            case "reply":
                if self._last is None:
                    raise LookupError("no message to reply to")
                self._last.reply(_value(fields))
            case "end_program":
                return _receipt(member.kill(_to(fields), int(fields["code"])))
            case "exit_on_kill":
                delay = int(fields["delay"]) / 1000
                member.exit_on_kill(lambda _: time.sleep(delay), grace=int(fields["grace"]) / 1000)
                member.ready()
            case "confirm":
                member.confirm(fields["name"])
            case "confirmations":
                confirmed = member.confirmations(int(fields["count"]), fields["name"])
                return Answer().add(names=[one.name for one in confirmed])
            case "set_data":
                member.set_data(_data(fields["data"]))
            case _:
                return None
        return Answer()

    def _next(self, fields: Fields) -> Answer:
        try:
            answer, message = self._events.get(timeout=_limit(fields))
        except queue.Empty:
            return Answer().add(event="none")
        self._last = message or self._last
        return answer

    def _send(self, fields: Fields) -> Answer:
        limits: dict[str, Any] = {limit: int(fields[limit]) / 1000 for limit in ("acknowledged", "request") if limit in fields}
        receipt = self._member.send(_to(fields), _value(fields), to_self=fields.get("to_self") == "true", **limits)
        return _receipt(receipt)

    def _on_message(self, message: libswarm.Message) -> None:
        sender = {"from": message.sender.name, "group": message.sender.group}
        payload = {"payload": message.payload_bytes.hex(), "type": message.content_type}
        answer = Answer().add(event="message", wants_reply=message.wants_reply, **sender, **payload)
        self._events.put((answer, message))

    def _on_kill(self, request: libswarm.KillRequest) -> None:
        self.put(Answer().add(event="kill", code=request.code, **{"from": request.sender.name}))

    def _on_member(self, change: libswarm.MemberChange) -> None:
        self.put(Answer().add(event="member", change=change.change, role=change.role, name=change.member.name))


def _to(fields: Fields) -> Any:
    kind, _, name = fields["to"].partition(":")
    return kind if kind == "all" else {kind: int(name) if kind == "pid" else name}


def _receipt(receipt: libswarm.Receipt) -> Answer:
    replies = [f"{reply.sender.name}:{'' if reply.payload_bytes is None else _text(reply.payload)}" for reply in receipt.replies]
    counts = {"recipients": len(receipt.recipients), "missing": len(receipt.missing)}
    return Answer().add(dropped=receipt.dropped, replies=sorted(replies), **counts)


class MasterDriver:
    """A master, driven by commands."""

    def __init__(self, fields: Fields) -> None:
        self._cluster = fields["cluster"]
        self._options = _options(fields, "cluster")
        self._master = libswarm.Master(self._cluster, **self._options)
        self._messages = Messages(self._master)
        self._followed: Iterator[libswarm.JobEvent] = iter(())
        self._master.on("ready", lambda incarnation: self._messages.put(Answer().add(event="ready", incarnation=incarnation)))
        self._master.on("error", lambda error: self._messages.put(_background(error)))

    def reset(self) -> None:
        self._master.close()

    def obey(self, command: str, fields: Fields) -> Answer:
        if (answer := self._messages.obey(command, fields)) is not None:
            return answer
        master = self._master
        match command:
            case "ready":
                master.ready()
                return Answer().add(incarnation=master.incarnation)
            case "health":
                return _health(master.health())
            case "stats":
                return Answer().add(**asdict(master.stats()))
            case "add" | "add_many":
                return _add(master, command, fields)
            case "add_value":
                return Answer().add(id=master.add_job(_hard_value(fields["value"])))
            case "flood":
                return self._flood(int(fields["count"]), _value(fields))
            case "delete":
                return Answer().add(existed=master.delete_job(fields["id"]))
            case "delete_many":
                return Answer().add(existed_each=master.delete_jobs(_list(fields, "ids")))
            case "result":
                return Answer().add(**_payload(master.result(fields["id"], timeout=_limit(fields))))
            case "run":
                existed: list[str] = []
                result = master.run(_value(fields), timeout=_limit(fields), on_existed=existed.append, **_job_options(fields))
                return Answer().add(existed=len(existed) == 1, **_payload(result))
            case "run_many":
                payloads = [json.loads(bytes.fromhex(text)) for text in _list(fields, "payloads")]
                keep = fields.get("keep") == "true"
                ids, there = _list(fields, "ids"), set[str]()
                outcomes = master.run_many(
                    payloads, ids=ids or None, timeout=_limit(fields), keep=keep, on_existed=there.add, **_job_options(fields)
                )
                existed_each = [id in there for id in ids]
                return Answer().add(outcomes=[_outcome(outcome) for outcome in outcomes], existed_each=existed_each)
            case "pause":
                master.pause(fields.get("task"))
            case "resume":
                master.resume(fields.get("task"))
            case "set_worker_slots":
                return Answer().add(existed=master.set_worker_slots(fields["worker"], int(fields["slots"])))
            case "pause_worker":
                return Answer().add(existed=master.pause_worker(fields["worker"]))
            case "resume_worker":
                return Answer().add(existed=master.resume_worker(fields["worker"]))
            case "retry_failed":
                return Answer().add(count=master.retry_failed(_list(fields, "ids") if "ids" in fields else None))
            case "delete_failed":
                return Answer().add(count=master.delete_failed(_list(fields, "ids") if "ids" in fields else None))
            case "delete_completed":
                return Answer().add(count=master.delete_completed(_list(fields, "ids") if "ids" in fields else None))
            case "job" | "jobs" | "queues" | "members":
                return self._look(command, fields)
            case "follow" | "followed" | "unfollow":
                return self._follow(command, fields)
            case "limit" | "remove_limit" | "limit_info":
                return self._limit(command, fields)
            case "schedule" | "unschedule" | "pause_schedule" | "resume_schedule" | "run_schedule":
                return self._change_schedule(command, fields)
            case "metric" | "metrics_history":
                return self._metrics(command, fields)
            case "add_flow":
                return self._add_flow(fields)
            case "flow":
                flow = master.flow(fields["id"])
                if flow is None:
                    return Answer().add(id="")
                after_each = ["+".join(sorted(job.after)) for job in flow.jobs]
                shown = {
                    "ids": [job.id for job in flow.jobs],
                    "states": [job.state for job in flow.jobs],
                    "after_each": after_each,
                }
                return Answer().add(id=flow.id, cancel_rest=flow.cancel_rest, **shown)
            case "schedule_info":
                info = master.schedule_info(fields["id"])
                return Answer().add(**_schedule(info)) if info else Answer().add(id="")
            case "schedules":
                page = master.schedules(after=fields.get("after") or None, limit=int(fields["limit"]))
                each = [_schedule(info) for info in page.schedules]
                columns = {name: [one[name] for one in each] for name in each[0] if name != "id"} if each else {}
                return Answer().add(ids=[one["id"] for one in each], next=page.next or "", **columns)
            case "obliterate":
                master.obliterate()
            case "close":
                master.close()
            case "choose":
                self._choose(fields)
            case "stop_choosing":
                master.stop_choosing()
            case _:
                raise LookupError(f"no command `{command}` here")
        return Answer()

    def _follow(self, what: str, fields: Fields) -> Answer:
        if what == "follow":
            self._followed = self._master.events(after=fields.get("after"))
        elif what == "unfollow":
            self._followed = iter(())
        else:
            found = [next(self._followed) for _ in range(int(fields["count"]))]
            shown = {"kinds": "kind", "ids": "id", "reasons": "reason", "texts": "text", "names": "name"}
            lists: dict[str, Any] = {name: [getattr(event, part) for event in found] for name, part in shown.items()}
            fenced = [event.fence > 0 and event.worker != "" for event in found]
            due = [event.due_at is not None for event in found]
            return Answer().add(**lists, fenced=fenced, due=due, position=found[-1].position)
        return Answer()

    def _limit(self, what: str, fields: Fields) -> Answer:
        master, name = self._master, fields["name"]
        if what == "remove_limit":
            return Answer().add(existed=master.remove_limit(name))
        if what == "limit_info":
            shown = asdict(master.limit_info(name))
            del shown["name"]
            per, next_in = shown.pop("per"), shown.pop("next_in")
            shown = {field: "" if value is None else value for field, value in shown.items()}
            return Answer().add(per="" if per is None else round(per * 1000), waits=next_in > 0, **shown)
        figures: dict[str, Any] = {field: int(value) for field, value in fields.items() if field not in ("name", "per")}
        if "per" in fields:
            figures["per"] = int(fields["per"]) / 1000
        return Answer().add(existed=master.limit(name, **figures))

    def _metrics(self, command: str, fields: Fields) -> Answer:
        if command == "metric":
            lines = self._master.metrics().splitlines()
            found = [line.removeprefix(fields["name"] + " ") for line in lines if line.startswith(fields["name"] + " ")]
            return Answer().add(value=found[0] if found else "")
        start, end = (int(fields[name]) / 1000 if name in fields else None for name in ("start", "end"))
        rows = self._master.metrics_history(fields["resolution"], start=start, end=end, task=fields.get("task"))  # type: ignore[arg-type]
        counts = {
            name: sum(getattr(row, name) for row in rows) for name in ("completed", "failed", "retried", "released", "deleted")
        }
        waits, runs = sum(row.wait.count for row in rows), sum(row.run.count for row in rows)
        return Answer().add(tasks=sorted({row.task for row in rows}), **counts, waits=waits, runs=runs)

    def _add_flow(self, fields: Fields) -> Answer:
        """The helpers build chains and the like; other flows are lists."""
        own = {"id", "payloads", "ids", "after_each", "shape", "cancel_rest"}
        options = _job_options({name: value for name, value in fields.items() if name not in own})
        ids, after = _list(fields, "ids"), _list(fields, "after_each")
        jobs: list[libswarm.NewJob] = []
        for at, text in enumerate(_list(fields, "payloads")):
            job: dict[str, Any] = {"id": ids[at]} if at < len(ids) else {}
            if at < len(after) and after[at]:
                job["after"] = after[at].split("+")
            jobs.append(libswarm.NewJob(json.loads(bytes.fromhex(text)), **job))
        match fields.get("shape"):
            case "chain":
                jobs = libswarm.chain(jobs)
            case "fan_in":
                jobs = libswarm.fan_in(jobs[:-1], jobs[-1])
        flow = self._master.add_flow(jobs, id=fields.get("id"), cancel_rest=fields.get("cancel_rest") == "true", **options)
        ids, existed_each = [job.id for job in flow.jobs], [job.existed for job in flow.jobs]
        return Answer().add(id=flow.id, existed=flow.existed, ids=ids, existed_each=existed_each)

    def _change_schedule(self, what: str, fields: Fields) -> Answer:
        master, id = self._master, fields["id"]
        if what == "schedule":
            return Answer().add(how=master.schedule(id, _value(fields), **_schedule_options(fields)))
        if what == "run_schedule":
            return Answer().add(id=master.run_schedule(id) or "")
        change = {
            "unschedule": master.unschedule,
            "pause_schedule": master.pause_schedule,
            "resume_schedule": master.resume_schedule,
        }
        return Answer().add(existed=change[what](id))

    def _look(self, what: str, fields: Fields) -> Answer:
        master = self._master
        if what == "job":
            return _job(master.job(fields["id"]))
        if what == "jobs":
            state: Any = fields["state"]
            page = master.jobs(state, after=fields.get("after") or None, limit=int(fields["limit"]))
            return Answer().add(ids=[job.id for job in page.jobs], next=page.next or "")
        if what == "queues":
            queues = master.queues()
            counts = [f"{count.priority}:{count.task}:{count.waiting}" for count in queues.queues]
            limits = [limit.name for limit in queues.limits]
            return Answer().add(queues=counts, limits=limits, paused=queues.paused, chooser=bool(queues.chooser))
        members = master.members()
        each = [f"{member.role}:{member.name}:{member.slots}:{member.active}" for member in members]
        data = ["" if member.data is None else _text(member.data) for member in members]
        return Answer().add(members=each, data=data, paused=[member.paused for member in members])

    def _choose(self, fields: Fields) -> None:
        """Chooses the worker of one name, or none."""

        def choose(job: libswarm.JobInfo, workers: list[libswarm.Candidate]) -> libswarm.Candidate | None:
            return next((worker for worker in workers if worker.name == fields["worker"]), None)

        self._master.choose(choose, within=int(fields["limit"]) / 1000, tasks=_list(fields, "tasks"))

    def _flood(self, count: int, payload: Any) -> Answer:
        """Many adds in flight are what asyncio is for: by a master of its own, in a loop of its own."""

        async def add_all() -> list[str]:
            async with libswarm.aio.Master(self._cluster, **self._options) as master:
                return await asyncio.gather(*(master.add_job(payload) for _ in range(count)))

        return Answer().add(ids=asyncio.run(add_all()))


class WorkerDriver:
    """A worker, driven by commands."""

    def __init__(self, fields: Fields) -> None:
        self._behave = fields.get("behave", "hold")
        self._burn = int(fields.get("burn", 0))
        self._jobs: dict[int, libswarm.Job] = {}
        # By fence: set when the job of a batch is over.
        self._over: dict[int, threading.Event] = {}
        self._counts = Counter(added=0, deleted=0, completed=0, refused=0, closed=0)
        self._drained: queue.SimpleQueue[libswarm.SwarmError | None] = queue.SimpleQueue()
        self._journal = os.open(fields["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if "log" in fields else None
        options = _options(fields, "cluster", "behave", "burn", "log", "tasks", "batch_size", "batch_wait", "batch_by")
        self._worker = libswarm.Worker(fields["cluster"], tasks=_list(fields, "tasks"), **options)
        self._messages = Messages(self._worker)
        self._worker.on("ready", self._on_ready)
        if "batch_size" in fields:
            by: Any = fields.get("batch_by", "task")
            wait = int(fields.get("batch_wait", 0)) / 1000
            self._worker.process_batches(self._on_batch, size=int(fields["batch_size"]), wait=wait, by=by)
        else:
            self._worker.on("add", self._on_add)
        self._worker.on("delete", self._on_delete)
        self._worker.on("close", self._on_close)
        self._worker.on("error", lambda error: self._messages.put(_background(error)))
        self._completions: queue.SimpleQueue[tuple[libswarm.Job, libswarm.Call]] = queue.SimpleQueue()
        threading.Thread(target=self._note_completions, daemon=True).start()
        self._worker.start()

    def reset(self) -> None:
        self._worker.terminate(grace=0)

    def obey(self, command: str, fields: Fields) -> Answer:
        if (answer := self._messages.obey(command, fields)) is not None:
            return answer
        worker = self._worker
        match command:
            case "ready":
                worker.ready()
                return Answer().add(incarnation=worker.incarnation)
            case "health":
                return _health(worker.health())
            case "stats":
                return Answer().add(**asdict(worker.stats()))
            case "counts":
                return Answer().add(**self._counts)
            case "complete":
                self._finish(fields, lambda job: job.complete(_value(fields)))
            case "fail":
                self._finish(fields, lambda job: job.fail(fields["message"]))
            case "fail_permanently":
                self._finish(fields, lambda job: job.fail_permanently(fields["message"]))
            case "rate_limited":
                self._finish(fields, lambda job: job.rate_limited(int(fields["after"]) / 1000, fields.get("limit")))
            case "retry":
                self._finish(fields, lambda job: job.retry(fields["message"], int(fields["after"]) / 1000))
            case "checkpoint":
                self._jobs[int(fields["fence"])].checkpoint(_value(fields))
            case "log":
                self._jobs[int(fields["fence"])].log(fields["text"])
            case "inputs":
                inputs: dict[str, libswarm.Input] = self._jobs[int(fields["fence"])].inputs().wait()
                return Answer().add(inputs=_text({id: _input(one) for id, one in sorted(inputs.items())}))
            case "progress":
                self._jobs[int(fields["fence"])].progress(_value(fields))
            case "tasks":
                worker.set_tasks(_list(fields, "tasks"))
            case "set_slots":
                worker.set_slots(int(fields["slots"]))
            case "pause":
                worker.pause()
            case "resume":
                worker.resume()
            case "paused":
                return Answer().add(paused=worker.paused)
            case "add" | "add_many":
                return _add(worker, command, fields)
            case "release":
                self._finish(fields, lambda job: job.release())
            case "delete":
                return Answer().add(existed=worker.delete_job(fields["id"]))
            case "drain":
                threading.Thread(target=self._drain, daemon=True).start()
            case "drained":
                return self._await_drain(fields)
            case "terminate":
                worker.terminate(grace=int(fields["grace"]) / 1000)
            case _:
                raise LookupError(f"no command `{command}` here")
        return Answer()

    def _finish(self, fields: Fields, finish: Callable[[libswarm.Job], libswarm.Call]) -> None:
        fence = int(fields["fence"])
        finish(self._jobs[fence]).wait()
        self._set_over(fence)

    def _set_over(self, fence: int) -> None:
        over = self._over.pop(fence, None)
        if over is not None:
            over.set()

    def _drain(self) -> None:
        try:
            self._worker.drain()
            self._drained.put(None)
        except libswarm.SwarmError as error:
            self._drained.put(error)

    def _await_drain(self, fields: Fields) -> Answer:
        try:
            error = self._drained.get(timeout=_limit(fields))
        except queue.Empty:
            return Answer("error").add(code="TIMEOUT", message="the worker is not drained yet")
        return Answer() if error is None else _error(error)

    def _on_ready(self, incarnation: str) -> None:
        self._note("ready", incarnation=incarnation)
        self._messages.put(Answer().add(event="ready", incarnation=incarnation))

    def _on_add(self, job: libswarm.Job) -> None:
        self._note("add", job=job.id, fence=job.fence, incarnation=self._worker.incarnation, payload=job.payload_bytes)
        self._counts["added"] += 1
        match self._behave:
            case "echo":
                self._complete(job)
            case "wait":
                threading.Timer(self._burn / 1000, self._complete, [job]).start()
            case "burn":
                LIBC.poll(None, 0, self._burn)
                self._complete(job)
            case _:
                self._jobs[job.fence] = job
                names = ("id", "fence", "crashes", "attempt", "priority", "task", "resource", "group")
                headers = [f"{name}={value}" for name, value in job.headers.items()]
                fields = {name: getattr(job, name) for name in names}
                last = job.last_checkpoint
                fields["checkpoint"] = "" if last is None else json.dumps(last, separators=(",", ":"))
                fields["scheduled_for"] = "" if job.scheduled_for is None else job.scheduled_for
                self._messages.put(Answer().add(event="add", headers=headers, **fields, **_job_payload(job)))

    def _on_batch(self, jobs: list[libswarm.Job]) -> list[Any] | None:
        """Keeps the handler of a batch until its jobs are finished, or must stop."""
        self._counts["added"] += len(jobs)
        over = [threading.Event() for _ in jobs]
        if self._behave == "hold":
            self._jobs.update((job.fence, job) for job in jobs)
            self._over.update((job.fence, event) for job, event in zip(jobs, over, strict=True))
        fences = {f"fence_{at}": job.fence for at, job in enumerate(jobs, 1)}
        self._messages.put(Answer().add(event="batch", ids=[job.id for job in jobs], **fences))
        if self._behave == "fail":
            raise ValueError("no")
        if self._behave == "echo":
            return [job.payload for job in jobs]
        for event in over:
            event.wait()
        return None

    def _on_delete(self, job: libswarm.Job) -> None:
        self._set_over(job.fence)
        self._note("delete", job=job.id, fence=job.fence, incarnation=self._worker.incarnation)
        self._counts["deleted"] += 1
        if self._behave == "late":
            self._complete(job)
        reason = (job.delete_reason or "").replace("_", "")
        self._messages.put(Answer().add(event="delete", id=job.id, fence=job.fence, reason=reason))

    def _on_close(self, error: libswarm.SwarmError | None) -> None:
        self._note("close", incarnation=self._worker.incarnation)
        self._counts["closed"] += 1
        self._messages.put(Answer().add(event="close", code=error.kind if error else ""))

    def _complete(self, job: libswarm.Job) -> None:
        self._completions.put((job, job.complete(job.payload)))

    def _note_completions(self) -> None:
        """Writes down which completions were accepted, in the order in which they were made."""
        while True:
            job, call = self._completions.get()
            try:
                call.wait()
            except libswarm.SwarmError as error:
                self._note("refused", job=job.id, fence=job.fence, code=error.kind)
                self._counts["refused"] += 1
            else:
                self._note("completed", job=job.id, fence=job.fence, incarnation=self._worker.incarnation)
                self._counts["completed"] += 1

    def _note(self, event: str, **fields: object) -> None:
        if self._journal is not None:
            line = Answer(f"t={time.monotonic():.9f}").add(event=event, **fields)
            # One write, so that a killed process leaves whole lines.
            os.write(self._journal, f"{line}\n".encode())


def _background(error: libswarm.SwarmError) -> Answer:
    return Answer().add(event="error", code=error.kind, message=str(error))


def _health(health: libswarm.Health) -> Answer:
    fields = asdict(health)
    return Answer().add(**fields, lease_left_ms=int(fields.pop("lease_left") * 1000))


def _list(fields: Fields, name: str) -> list[str]:
    return [unquote(item) for item in fields[name].split(",")] if fields.get(name) else []


LISTS = {"payloads", "ids", "tasks"}


def main() -> None:
    member: MasterDriver | WorkerDriver | None = None
    for line in sys.stdin:
        command, *words = line.split()
        pairs = (word.split("=", 1) for word in words)
        fields = {name: value if name in LISTS else unquote(value) for name, value in pairs}
        answer = Answer()
        try:
            match command:
                case "hello":
                    answer.add(language="python", version=libswarm.__version__)
                case "master":
                    member = MasterDriver(fields)
                case "worker":
                    member = WorkerDriver(fields)
                case "reset":
                    ended, member = member, None
                    if ended is not None:
                        ended.reset()
                case _:
                    if member is None:
                        raise LookupError(f"no member to `{command}`")
                    answer = member.obey(command, fields)
        except libswarm.SwarmError as error:
            # A member that is closed already, or whose Redis is gone, is reset as well.
            answer = Answer() if command == "reset" else _error(error)
        print(answer, flush=True)


main()
