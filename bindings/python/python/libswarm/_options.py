"""Options of Python programs as the names and texts that the core reads. The core checks the bounds."""

from __future__ import annotations

import inspect
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NoReturn, SupportsIndex, TypedDict

from .errors import SwarmInvalidArgument

#: In seconds here, in milliseconds in the core.
_DURATIONS = frozenset(
    {
        "lease",
        "credentials_interval",
        "timeout",
        "failed_ttl",
        "completed_ttl",
        "stop_grace",
        "grace",
        "backoff_delay",
        "backoff_max",
        "healthy",
        "respawn_window",
        "ready_timeout",
    }
)


class ConnectionOptions(TypedDict, total=False):
    """The address of Redis, and the options of every member. All are optional; the default address is `localhost:6379`."""

    #: `redis://user:password@host:port/db`, `rediss://…`, `unix:///path`, `redis+sentinel://h1,h2/master/db`, `redis+cluster://h1,h2`.
    url: str
    host: str
    port: int
    #: Path of a Unix socket.
    socket: str | os.PathLike[str]
    #: `host:port` of the Sentinels.
    sentinels: str | Sequence[str]
    sentinel_master: str
    sentinel_username: str
    sentinel_password: str
    #: `host:port` of some nodes of a Redis Cluster.
    nodes: str | Sequence[str]
    db: int
    username: str
    password: str
    #: A function that returns the credentials, instead of `username` and `password`: a dict with `password`, and maybe
    #: `username`. It is called at each connection and every `credentials_interval` seconds, on a thread of the library. When
    #: they have changed, open connections authenticate again.
    credentials: Callable[[], Mapping[str, str]]
    #: Path of a file with JSON, `{"username": ..., "password": ...}`, instead of `username` and `password`. When it has changed,
    #: open connections authenticate again.
    credentials_file: str | os.PathLike[str]
    #: Seconds between two looks at the file, 0.1 to a day; 10.
    credentials_interval: float
    tls: bool
    #: Paths of PEM files: the CA to trust instead of those of the system, the client's certificate and key.
    tls_ca: str | os.PathLike[str]
    tls_cert: str | os.PathLike[str]
    tls_key: str | os.PathLike[str]
    #: Whether the server's certificate is verified; True. Otherwise the connection is encrypted but not authenticated.
    tls_verify: bool
    #: Replaces the cluster's name in the keys.
    prefix: str
    #: Seconds without renewal after which a member is lost and its jobs are reassigned; 15.
    lease: float
    #: Seconds that a call waits for Redis; 5.
    timeout: float
    #: Largest payload in bytes; 512 KiB.
    max_payload: int
    #: Limit of payload bytes that Redis has not stored yet, 1 MiB to 4 GiB; 64 MiB. Beyond, adding raises SwarmBufferFull.
    max_pending_bytes: int
    #: Keys with which this member encrypts what it stores, `id:key` with the base64 of 32 bytes; several with commas between: the
    #: first writes, all read.
    codec_keys: str
    #: Whether this member refuses to read values that are not encrypted; False.
    codec_required: bool
    #: Values of at least this number of bytes are compressed, 64 to 16 MiB; none by default.
    compress_from: int
    #: What to do about a server that may evict keys; "refuse".
    eviction: Literal["refuse", "warn"]
    #: Shown by `members()` and logs; address for messages.
    name: str
    group: str
    #: A job fails as `poison` after more crashes of its workers in a row than this; 3.
    max_crashes: int
    #: Limit of failed jobs kept in the cluster, 1 to 1,000,000; the newest are kept. 10,000 if no member sets it.
    failed_max: int
    #: Limit of their bytes, 1 MiB to 1 TiB; the newest are kept. 256 MiB if no member sets it.
    failed_max_bytes: int
    #: Seconds that they are kept, 1 s to 10 years. Forever if no member sets it.
    failed_ttl: float
    #: Limit of completed jobs kept in the cluster, 0 to 1,000,000; the newest are kept. If no member sets it, or 0, none but
    #: those with the option `keep_completed`, at most 10,000.
    completed_max: int
    #: Limit of their bytes, 1 MiB to 1 TiB; the newest are kept. 256 MiB if no member sets it.
    completed_max_bytes: int
    #: Seconds that they are kept, 1 s to 10 years. As long as the limits allow if no member sets it.
    completed_ttl: float
    #: When the cluster records transitions of jobs for `Master.events`: "follow", while a master follows them and for 30 s after
    #: that, or "always". "follow" if no member sets it.
    events: Literal["follow", "always"]
    #: Limit of the transitions that it keeps, 100 to 1,000,000; the newest are kept. 10,000 if no member sets it.
    events_max: int


class WorkerOptions(ConnectionOptions, total=False):
    """The options of a worker."""

    #: Limit of active jobs; default unlimited.
    slots: int | None
    #: The tasks whose jobs are accepted, at most 100, "" for jobs without one; [""]. Tasks with a handler need not be named.
    tasks: Sequence[str]
    #: Guaranteed slots by the lowest priority of each range; the other slots belong to priority 0. Default none.
    priority_slots: Mapping[int, int]
    #: Whether jobs of a range whose guaranteed slots are full may use only the slots of priority 0; False.
    strict_slots: bool
    #: Jobs assigned beyond the slots, so that one can start at once when a slot becomes free; 0, at most 10,000.
    prefetch: int
    #: Whether active jobs of other workers beyond the mean are moved to this one when it joins; False.
    rebalance: bool
    #: Limit of jobs assigned but not yet taken by the program; 1,000.
    window: int
    #: Seconds that a handler may take to stop once its job's timeout is over, 0.1 s to 1 day; 30. Then the job is retried
    #: elsewhere, and the handler counts as stuck and keeps its slot until it returns.
    stop_grace: float
    #: Whether a worker that lost its lease registers again; True.
    rejoin: bool
    #: Where the active jobs of this worker are requeued when it leaves or is lost; "front".
    requeue: Literal["front", "back"]
    #: With OpenTelemetry, how the span of an attempt refers to the one that added the job: it has a link to it, or is its child;
    #: "link".
    trace: Literal["link", "parent"]


class SupervisorOptions(TypedDict, total=False):
    """The options of a supervisor, for all its processes. Durations are in seconds."""

    #: Time between TERM and KILL; 5, at most 1 h.
    grace: float
    #: How the pause before a respawn grows; "exponential".
    backoff: Literal["fixed", "exponential"]
    #: The first pause; 0.1, 1 ms to 1 h.
    backoff_delay: float
    #: The longest pause; 30, at most 1 day.
    backoff_max: float
    #: The share of each pause that is random; 0.2, 0 to 1.
    backoff_jitter: float
    #: After being ready this long, pauses start with the first again; 60, at most 1 day.
    healthy: float
    #: After this many respawns within `respawn_window`, a process that fails again is not restarted; 10, at most 10,000, 0
    #: for no limit.
    max_respawns: int
    #: The time in which `max_respawns` are counted; 60, 1 ms to 1 day.
    respawn_window: float
    #: Whether lines are written to stdout and stderr of this process (its descriptors 1 and 2, not `sys.stdout`); True.
    forward: bool
    #: Whether lines are emitted as events; False.
    lines: bool
    #: Limit of the bytes of lines not yet taken, each with 64 more; 1 MiB, 64 KiB to 1 GiB.
    line_buffer: int


class ProgramOptions(TypedDict, total=False):
    """Options of a program, in addition to its command and arguments."""

    #: Added to the environment of this process.
    env: Mapping[str, str | os.PathLike[str]] | Mapping[bytes, bytes]
    #: Working directory; default that of this process.
    cwd: str | bytes | os.PathLike[str] | os.PathLike[bytes]
    #: CPUs it may run on, 0 to 1023, or a text such as "0,2-3"; default all. Linux only.
    cpus: Iterable[int] | str
    #: The name in events, lists and prefixes, 1 to 256 bytes; default the file name of the command.
    name: str
    #: How many processes, each with its own id; 1, at most 1,000.
    count: int
    #: Whether it is restarted when it fails; True.
    respawn: bool
    #: When it counts as ready: at its start, or when it calls `libswarm.ready()`; "start".
    ready: Literal["start", "explicit"]
    #: Seconds to become ready, after which it is stopped and counts as failed; 30, 1 ms to 1 day.
    ready_timeout: float


#: The type of each option. The core checks the bounds, and refuses unknown options.
_KINDS: dict[str, str] = {
    **dict.fromkeys(
        (
            "url",
            "host",
            "sentinel_master",
            "sentinel_username",
            "sentinel_password",
            "username",
            "password",
            "prefix",
            "codec_keys",
            "eviction",
        ),
        "str",
    ),
    **dict.fromkeys(("name", "group", "requeue", "events", "backoff", "cpus", "ready"), "str"),
    **dict.fromkeys(("port", "db", "max_payload", "max_pending_bytes", "max_crashes", "failed_max", "failed_max_bytes"), "int"),
    **dict.fromkeys(("completed_max", "completed_max_bytes", "compress_from"), "int"),
    "events_max": "int",
    **dict.fromkeys(("slots", "prefetch", "window", "max_respawns", "line_buffer", "count"), "int"),
    **dict.fromkeys(("tls", "tls_verify", "strict_slots", "rebalance", "rejoin", "forward", "lines", "respawn"), "bool"),
    "codec_required": "bool",
    **dict.fromkeys(("socket", "credentials_file", "tls_ca", "tls_cert", "tls_key"), "path"),
    **dict.fromkeys(("sentinels", "nodes"), "list"),
    **dict.fromkeys(_DURATIONS, "number of seconds"),
    "backoff_jitter": "number",
    "priority_slots": "mapping",
}


class Settings(list[tuple[str, str]]):
    """Options as name and text. They may contain a password, so they are neither shown nor pickled."""

    def __repr__(self) -> str:
        return f"<{len(self)} options>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("the options of a member cannot be pickled: they may contain a password")


def settings(options: Mapping[str, object]) -> Settings:
    """The options as name and text, without those that are None, `tasks` and `credentials`, which are passed apart."""
    return Settings(texts({name: value for name, value in options.items() if name not in ("tasks", "credentials")}))


def credentials(options: Mapping[str, object]) -> Callable[[], object] | None:
    """The function that returns the credentials; None if there is none."""
    function = options.get("credentials")
    if function is None:
        return None
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise SwarmInvalidArgument(
            f"credentials is of type {type(function).__name__}, it must be a function, and no coroutine function"
        )
    return function


def texts(options: Mapping[str, object]) -> list[tuple[str, str]]:
    """The options as name and text, without those that are None."""
    return [(name, _text(name, value)) for name, value in options.items() if value is not None]


def as_list(name: str, values: Iterable[object]) -> list[object]:
    """The values as a list. A single value that is iterable, such as a str, is refused."""
    if isinstance(values, list):
        return values
    if isinstance(values, str | bytes | bytearray | memoryview | Mapping) or not isinstance(values, Iterable):
        raise SwarmInvalidArgument(f"{name} is one {type(values).__name__}, it must be a list of jobs")
    return list(values)


def keeps(keep: object) -> bool:
    """Checks the argument `keep`."""
    if not isinstance(keep, bool):
        raise SwarmInvalidArgument(f"keep is of type {type(keep).__name__}, it must be True or False")
    return keep


def _text(name: str, value: object) -> str:
    kind = _KINDS.get(name, "str")
    text = _read(kind, name, value)
    if text is None:
        what = {"list": "str, or a list of str", "path": "str or a path", "mapping": "mapping of int to int"}.get(kind, kind)
        raise SwarmInvalidArgument(
            f"{name} is of type {type(value).__name__}, it must be {'an' if kind == 'int' else 'a'} {what}"
        )
    return text


def _read(kind: str, name: str, value: object) -> str | None:
    """As text; None for a value of another kind."""
    match kind:
        case "bool":
            return None if not isinstance(value, bool) else "true" if value else "false"
        case "int":
            return None if isinstance(value, bool) or not isinstance(value, SupportsIndex) else str(operator.index(value))
        case "number" | "number of seconds":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return None
            try:
                return repr(float(value) * (1000 if kind == "number of seconds" else 1))
            except OverflowError:
                raise SwarmInvalidArgument(f"{name} is out of bounds") from None
        case "mapping":
            if not isinstance(value, Mapping):
                return None
            parts = [[_read("int", name, part) for part in pair] for pair in value.items()]
            return None if any(None in pair for pair in parts) else ",".join(f"{start}:{count}" for start, count in parts)
        case "list" if isinstance(value, list | tuple):
            return ",".join(value) if all(isinstance(part, str) for part in value) else None
        case "path" if isinstance(value, os.PathLike):
            return os.fsdecode(value)
        case _:
            return value if isinstance(value, str) else None
