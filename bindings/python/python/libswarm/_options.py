"""Options as Python programs write them, turned into the names and texts that the core reads. It alone knows the bounds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

#: Given in seconds here, in milliseconds to the core.
_DURATIONS = frozenset({"lease", "timeout"})


class ConnectionOptions(TypedDict, total=False):
    """Where Redis is, and what every member can be told. All are optional; the default address is `localhost:6379`."""

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
    tls: bool
    #: Paths of PEM files: the CA to trust instead of the system's, the client's certificate and key.
    tls_ca: str | os.PathLike[str]
    tls_cert: str | os.PathLike[str]
    tls_key: str | os.PathLike[str]
    #: Replaces the cluster's name in the keys.
    prefix: str
    #: Seconds that a member may stay silent before its jobs go elsewhere; 15.
    lease: float
    #: Seconds that a call waits for Redis; 5.
    timeout: float
    #: Largest payload in bytes; 512 KiB.
    max_payload: int
    #: What to do about a server that may evict keys; "refuse".
    eviction: Literal["refuse", "warn"]
    #: For people.
    name: str
    group: str
    #: A job fails as `poison` when more workers than this died holding it; 3.
    max_deaths: int


class WorkerOptions(ConnectionOptions, total=False):
    """What a worker can be told besides."""

    #: Jobs held at most; unlimited unless given.
    slots: int | None
    #: Jobs given but not yet taken up by the program, at most; 1,000.
    window: int
    #: Whether a worker that lost its lease registers anew; True.
    rejoin: bool
    #: Where the jobs of this worker go when it leaves or is lost; "front".
    requeue: Literal["front", "back"]


def settings(options: Mapping[str, object]) -> list[tuple[str, str]]:
    """The options as name and text; those that are None are left at their defaults."""
    return [(name, _text(name, value)) for name, value in options.items() if value is not None]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in _DURATIONS and isinstance(value, int | float):
        return repr(value * 1000)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return str(value)
