"""A master of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Sequence
from typing import Any, Unpack

from .. import _lifecycle, _native
from .._calling import check_listener
from .._choice import Choosing
from .._master import BATCH
from .._options import ConnectionOptions
from ..errors import SwarmError
from ..jobs import JobOptions
from ._api.master import MasterApi
from ._bridge import Bridge
from ._chooser import ChooseCallback, ChooserTask
from ._member import LoopMember


class Master(LoopMember, MasterApi, Choosing[ChooserTask]):
    """Adds and deletes jobs of one cluster, and waits for their results.

    As `libswarm.Master`, in the event loop that is running at its first use. Adds made in one tick of the loop are sent together.
    Cancelling a wait does not cancel the request.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__(cluster, dict(options))
        self._bridge: Bridge | None = None
        self._tasks_of_listeners = set()
        #: Futures of the jobs gathered in this tick, in their order.
        self._gathered: list[asyncio.Future[tuple[str, bool]]] = []
        _lifecycle.register(self)

    @property
    def _here(self) -> _native.Master:
        self._bound()
        return self._native

    def _await(self, call: _native.Call) -> asyncio.Future[Any]:
        return self._bound().future(call)

    def _enter(self) -> None:
        self._bound()

    def _take_events(self) -> None:
        self._bound()

    async def _choose(self, callback: ChooseCallback, within: float, tasks: Sequence[str]) -> None:
        check_listener(callback, coroutines=True)
        bridge = self._bound()
        try:
            await self._await(self._native.start_choosing(within, tasks))
        except BaseException:
            self._choosing_not_started()
            raise
        self._replace_chooser(ChooserTask(self._native, bridge, callback, self._choosing_failed))

    async def _stop_choosing(self) -> None:
        self._replace_chooser(None)
        # The chooser itself may call this, in a task that is cancelled with it: jobs must not wait for a choice that never
        # comes.
        await asyncio.shield(self._await(self._here.stop_choosing()))

    def _begin_close(self) -> _native.Call | None:
        if self._bridge is None:
            # After the close the grace cannot be enforced any more.
            self._bound()
        if self._gathered:
            self._flush()
        self._replace_chooser(None)
        self._muted = True
        return self._native.close()

    def _end_close(self) -> None:
        if self._bridge is not None:
            self._bridge.close()
        self._emit("close", None)

    def _bound(self) -> Bridge:
        if self._bridge is None:
            self._bridge = Bridge(self._loop_ended)
            self._bridge.on_event = self._events
            self._native.listen(self._bridge.mailbox)
        else:
            self._bridge.check()
        return self._bridge

    def _add(self, payload: object, options: JobOptions) -> asyncio.Future[tuple[str, bool]]:
        loop = self._bound().loop
        if options.get("after") is not None:
            # By itself: a job that it waits for may be unknown, which must not affect others.
            return asyncio.ensure_future(self._add_alone(payload, options))
        self._native.gather(payload, options)
        future: asyncio.Future[tuple[str, bool]] = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._flush)
        self._gathered.append(future)
        return future

    async def _add_alone(self, payload: object, options: JobOptions) -> tuple[str, bool]:
        added: list[tuple[str, bool]] = await self._await(self._here.add(payload, options))
        return added[0]

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
            events = self._native.take(BATCH)
        except SwarmError:
            # Closed meanwhile.
            return
        if events and self._bridge is not None:
            # More events may wait, which are not announced again.
            self._bridge.loop.call_soon(self._events)
        for event in events:
            self._emit_event(*event)

    def _loop_ended(self) -> None:
        """Called when the loop has ended: this master cannot be used any more."""
        self._muted = True
        with contextlib.suppress(SwarmError):
            if self._gathered:
                self._native.flush()
            self._native.close()
        self._gathered.clear()

    def _leave(self) -> _native.Call | None:
        return self._native.close()

    def _left(self, patience: float) -> None:
        """Does nothing: there is no thread to end."""


def _fail(futures: list[asyncio.Future[Any]], error: SwarmError) -> None:
    for future in futures:
        if not future.done():
            # A copy each: an exception collects the traceback of each place that raises it.
            future.set_exception(copy.copy(error))
