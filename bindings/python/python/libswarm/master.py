"""A master of threads: adds and deletes jobs, awaits results."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from . import _lifecycle, _native
from ._events import Events, Listener
from ._options import ConnectionOptions, settings
from .errors import SwarmClosed
from .types import Added, Health, Stats

#: Events taken in one crossing; a master has few.
_BATCH = 64


class Master(Events):
    """Adds and deletes jobs of one cluster, and awaits their results.

    Connects in the background, from the start; a call waits for the connection, at most the option `timeout`, and raises
    what is in its way. All methods are thread-safe. A context manager; `close` it otherwise.

    Payloads and results are whatever `json` can write, or bytes (`bytes`, `bytearray`, `memoryview`), which stay bytes.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__()
        self._native = _native.Master(cluster, settings(options))
        self._mailbox: _native.Mailbox | None = None
        self._thread: threading.Thread | None = None
        _lifecycle.register(self)

    def add_job(
        self, payload: object = None, *, id: str | None = None, result: bool = False, result_ttl: float | None = None
    ) -> str:
        """Adds a job and returns its id, once Redis has stored it.

        `id` is the caller's own, 1 to 256 bytes: while a job with it exists, adding it again changes nothing. With `result`
        the job's result is kept, `result_ttl` seconds from its end (1 s to 365 days, 300 unless given), for `result` to ask for.
        """
        added: list[tuple[str, bool]] = self._native.add(payload, id, result, result_ttl).wait()
        return added[0][0]

    def add(
        self, payload: object = None, *, id: str | None = None, result: bool = False, result_ttl: float | None = None
    ) -> Added:
        """As `add_job`, and tells whether the job existed."""
        added: list[tuple[str, bool]] = self._native.add(payload, id, result, result_ttl).wait()
        return Added(*added[0])

    def add_jobs(
        self,
        payloads: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        result: bool = False,
        result_ttl: float | None = None,
    ) -> list[str]:
        """Adds many jobs in one go, all checked before any is sent, and returns their ids in order."""
        many = payloads if isinstance(payloads, list) else list(payloads)
        added: list[str] = self._native.add_many(many, ids, result, result_ttl, True).wait()
        return added

    def add_many(
        self,
        payloads: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        result: bool = False,
        result_ttl: float | None = None,
    ) -> list[Added]:
        """As `add_jobs`, and tells of each whether it existed."""
        many = payloads if isinstance(payloads, list) else list(payloads)
        added: list[tuple[str, bool]] = self._native.add_many(many, ids, result, result_ttl).wait()
        return [Added(*pair) for pair in added]

    def delete_job(self, id: str) -> bool:
        """Deletes a job whatever its state; its worker is told to stop it. Whether it existed."""
        existed: bool = self._native.delete(id).wait()
        return existed

    def delete_jobs(self, ids: Sequence[str]) -> list[bool]:
        """Deletes many jobs; whether each existed, in order."""
        existed: list[bool] = self._native.delete_many(list(ids)).wait()
        return existed

    def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Awaits the result of a job added with `result`, by anyone, at any time within its `result_ttl`.

        Raises SwarmJobFailed if the job failed, SwarmJobDeleted, SwarmNotFound, or SwarmTimeout after `timeout` seconds.
        """
        return self._native.result(id, timeout).wait()

    def run(
        self, payload: object = None, *, id: str | None = None, result_ttl: float | None = None, timeout: float | None = None
    ) -> Any:
        """Adds a job and awaits its result. After a timeout or an interrupt the job goes on."""
        return self._native.run(payload, id, result_ttl, timeout).wait()

    def ready(self) -> None:
        """Waits until the master is registered, and raises what is in its way."""
        self._native.ready().wait()

    def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        return Stats(**self._native.stats().wait())

    def health(self) -> Health:
        """This member's own view; never asks Redis."""
        return Health(**self._native.health())

    @property
    def incarnation(self) -> str:
        """The identity in Redis, empty before the first registration."""
        return self._native.incarnation()

    def obliterate(self) -> None:
        """Removes every key of the cluster, whoever uses it. For tests, and for the end of a cluster's life."""
        self._native.obliterate().wait()

    def close(self) -> None:
        """Waits for adds in flight and leaves the cluster. Calls after it raise SwarmClosed; closing again does nothing."""
        call = self._leave()
        if call is not None:
            call.wait()
            self._left(1.0)

    addJob = add_job
    deleteJob = delete_job

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener` called at every `ready`, `error` or `close`, on a thread that the first listener starts."""
        listener = super().on(event, listener)
        if self._thread is None:
            self._mailbox = _native.Mailbox()
            self._native.listen(self._mailbox)
            self._thread = threading.Thread(target=self._listen, args=(self._mailbox,), name="libswarm-master", daemon=True)
            self._thread.start()
        return listener

    def _listen(self, mailbox: _native.Mailbox) -> None:
        try:
            while True:
                mailbox.wait()
                mailbox.take()
                while events := self._native.take(_BATCH):
                    for event in events:
                        self._heard(*event)
        except SwarmClosed:
            self._emit("close", None)

    def _heard(self, event: str, detail: Any, *_: object) -> None:
        if event == "error":
            self._emit_error(detail)
        elif event == "ready":
            self._emit("ready", detail)

    def _leave(self) -> _native.Call | None:
        return self._native.close()

    def _left(self, patience: float) -> None:
        if self._mailbox is not None and self._thread is not None:
            self._mailbox.announce()
            if self._thread is not threading.current_thread():
                self._thread.join(patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
