"""A master of an event loop: adds and deletes jobs, awaits results."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from .. import _lifecycle, _native
from .._events import Events, Listener
from .._options import ConnectionOptions, settings
from ..errors import SwarmError
from ..types import Added, Health, Stats
from ._bridge import Bridge

#: Events taken in one crossing; a master has few.
_BATCH = 64


class Master(Events):
    """Adds and deletes jobs of one cluster, and awaits their results.

    As `libswarm.Master`, in the event loop that is running at its first use. Adds made in one tick of the loop travel together.
    To cancel a wait does not take back what was asked.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__()
        self._native = _native.Master(cluster, settings(options))
        self._bridge: Bridge | None = None
        #: Of the jobs gathered in this tick, in their order.
        self._gathered: list[asyncio.Future[tuple[str, bool]]] = []
        _lifecycle.register(self)

    async def add_job(
        self, payload: object = None, *, id: str | None = None, result: bool = False, result_ttl: float | None = None
    ) -> str:
        """Adds a job and returns its id, once Redis has stored it. See `libswarm.Master.add_job`."""
        return (await self._gather(payload, id, result, result_ttl))[0]

    async def add(
        self, payload: object = None, *, id: str | None = None, result: bool = False, result_ttl: float | None = None
    ) -> Added:
        """As `add_job`, and tells whether the job existed."""
        return Added(*await self._gather(payload, id, result, result_ttl))

    async def add_jobs(
        self,
        payloads: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        result: bool = False,
        result_ttl: float | None = None,
    ) -> list[str]:
        """Adds many jobs in one go, all checked before any is sent, and returns their ids in order."""
        many = payloads if isinstance(payloads, list) else list(payloads)
        added: list[str] = await self._await(self._native.add_many(many, ids, result, result_ttl, True))
        return added

    async def add_many(
        self,
        payloads: Iterable[object],
        *,
        ids: Sequence[str] | None = None,
        result: bool = False,
        result_ttl: float | None = None,
    ) -> list[Added]:
        """As `add_jobs`, and tells of each whether it existed."""
        many = payloads if isinstance(payloads, list) else list(payloads)
        added: list[tuple[str, bool]] = await self._await(self._native.add_many(many, ids, result, result_ttl))
        return [Added(*pair) for pair in added]

    async def delete_job(self, id: str) -> bool:
        """Deletes a job whatever its state; its worker is told to stop it. Whether it existed."""
        existed: bool = await self._await(self._native.delete(id))
        return existed

    async def delete_jobs(self, ids: Sequence[str]) -> list[bool]:
        """Deletes many jobs; whether each existed, in order."""
        existed: list[bool] = await self._await(self._native.delete_many(list(ids)))
        return existed

    async def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Awaits the result of a job added with `result`. See `libswarm.Master.result`."""
        return await self._await(self._native.result(id, timeout))

    async def run(
        self, payload: object = None, *, id: str | None = None, result_ttl: float | None = None, timeout: float | None = None
    ) -> Any:
        """Adds a job and awaits its result. After a timeout or a cancellation the job goes on."""
        return await self._await(self._native.run(payload, id, result_ttl, timeout))

    async def ready(self) -> None:
        """Waits until the master is registered, and raises what is in its way."""
        await self._await(self._native.ready())

    async def stats(self) -> Stats:
        """Counts of the cluster, from Redis."""
        return Stats(**await self._await(self._native.stats()))

    def health(self) -> Health:
        """This member's own view; never asks Redis."""
        return Health(**self._native.health())

    @property
    def incarnation(self) -> str:
        """The identity in Redis, empty before the first registration."""
        return self._native.incarnation()

    async def obliterate(self) -> None:
        """Removes every key of the cluster, whoever uses it. For tests, and for the end of a cluster's life."""
        await self._await(self._native.obliterate())

    async def close(self) -> None:
        """Waits for adds in flight and leaves the cluster. Calls after it raise SwarmClosed; closing again does nothing."""
        if self._gathered:
            self._flush()
        call = self._native.close()
        if call is not None:
            bridge = self._bound()
            await bridge.future(call)
            bridge.close()
            self._emit("close", None)

    addJob = add_job
    deleteJob = delete_job

    def on(self, event: str, listener: Listener) -> Listener:
        """Has `listener` called in the loop at every `ready`, `error` or `close`."""
        listener = super().on(event, listener)
        self._bound()
        return listener

    def _bound(self) -> Bridge:
        if self._bridge is None:
            self._bridge = Bridge()
            self._bridge.on_event = self._events
            self._native.listen(self._bridge.mailbox)
        else:
            self._bridge.check()
        return self._bridge

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        return self._bound().future(call)

    def _gather(
        self, payload: object, id: str | None, result: bool, result_ttl: float | None
    ) -> asyncio.Future[tuple[str, bool]]:
        loop = self._bound().loop
        self._native.gather(payload, id, result, result_ttl)
        future: asyncio.Future[tuple[str, bool]] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._flush)
        self._gathered.append(future)
        return future

    def _flush(self) -> None:
        futures, self._gathered = self._gathered, []
        if not futures:
            return
        try:
            call = self._native.flush()
        except SwarmError as error:
            _fail(futures, error)
            return

        def settle() -> None:
            try:
                added = call.result()
            except SwarmError as error:
                _fail(futures, error)
                return
            for future, pair in zip(futures, added, strict=True):
                if not future.done():
                    future.set_result(pair)

        self._bound().watch(call, settle)

    def _events(self) -> None:
        try:
            events = self._native.take(_BATCH)
        except SwarmError:
            # Closed meanwhile.
            return
        for event, detail, *_ in events:
            if event == "error":
                self._emit_error(detail)
            elif event == "ready":
                self._emit("ready", detail)

    def _leave(self) -> _native.Call | None:
        return self._native.close()

    def _left(self, patience: float) -> None:
        """No thread to end."""

    async def __aenter__(self) -> Self:
        self._bound()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def _fail(futures: list[asyncio.Future[Any]], error: SwarmError) -> None:
    for future in futures:
        if not future.done():
            # One each: an exception collects the traces of all who raise it.
            future.set_exception(copy.copy(error))
