"""The methods of a supervisor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, Unpack

from libswarm import _native
from libswarm._native import Call
from libswarm._options import ProgramOptions
from libswarm._supervisor import Ids, SupervisorBase, Text
from libswarm.processes import SupervisorEvent

from .._waiting import Waiting


class SupervisorApi(SupervisorBase):
    """Starts, replaces and stops processes."""

    async def spawn(self, command: Text, *args: Text, **options: Unpack[ProgramOptions]) -> Ids:
        """Starts the processes of a program and returns their ids, as many as `count`; see `ProgramOptions`.

        `command` is a path, or a name that is looked up in `PATH`; no shell is involved. The call does not wait for the start: a
        command that cannot be started is reported by the event `exited`, and retried. Raises SwarmClosed after a stop.
        """
        ids: Ids = await self._await(self._spawn(command, args, options))
        return ids

    async def kill(self, id: int) -> None:
        """Stops the process of an id permanently: TERM to its group, KILL after `grace`. Returns when its group is gone.

        Raises SwarmNotFound if there is none, such as after it exited with code 0. Cancelling it ends only the wait.
        """
        await self._await(self._here.kill(id))

    async def reload(self) -> None:
        """Replaces all processes, one after another: starts a new one, waits until it is ready, and stops the old one.

        Ends at the first failure, and the old processes continue: SwarmUnavailable if a new process cannot be started or exits
        before it is ready, SwarmTimeout if it is not ready within its `ready_timeout`, SwarmClosed if all are stopped meanwhile.
        """
        await self._await(self._here.reload())

    async def stop(self, *, wait: bool = True) -> None:
        """Stops all processes at the same time: TERM to their groups, KILL after `grace`. May be called again.

        Returns when none of them is left and listeners have been called for all events. With `wait` False it only begins.
        Threads: a listener must not wait for its own end, which raises SwarmInCallback.
        """
        if wait:
            self._refuse_in_listener("stop")
        call = self._leave()
        if wait:
            if call is not None:
                await self._await(call)
                self._native.close()
            await self._settle()

    def handle_signals(self) -> None:
        """Makes SIGHUP reload, and SIGTERM and SIGINT stop all processes; each also emits the event `signal`.

        They do not end this program any more and raise no KeyboardInterrupt, even after the stop: exit at the event
        `stopped`. In asyncio, SIGINT is handled until the end of `asyncio.run`, which restores Python's handler. In a forked
        child the previous handlers are restored. Raises SwarmClosed after a stop.
        """
        self._here.handle_signals()

    def __aiter__(self) -> AsyncIterator[SupervisorEvent]:
        """One event after another, until all processes have stopped. Of several loops each event goes to one."""
        self._begin_loop()
        return self._iterate()

    async def __aenter__(self) -> Self:
        self._enter()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def _here(self) -> _native.Supervisor:
        """The native supervisor. Raises if it cannot be used here and now."""
        return self._native

    def _enter(self) -> None:
        """Called at the begin of `with`."""

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError

    async def _settle(self) -> None:
        """Waits, after the stop, until listeners have been called for all events."""
        raise NotImplementedError

    def _iterate(self) -> AsyncIterator[SupervisorEvent]:
        raise NotImplementedError

    def _refuse_in_listener(self, what: str) -> None:
        """Raises if the call would wait for the listener in which it is made."""
