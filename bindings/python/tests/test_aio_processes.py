"""Supervisors of an event loop; what they have in common with those of threads is tested there."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm.aio import Supervisor
from libswarm.processes import Exited, Line, Ready, Reloaded, Started, Stopped, SupervisorEvent
from test_processes import GRACEFUL, QUICK, STUBBORN, runs, sh

Event = TypeVar("Event")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a test, whose every wait has a deadline."""
    asyncio.run(asyncio.wait_for(main, 2 * SOON))


async def following(supervisor: Supervisor, kind: type[Event]) -> Event:
    """The next event of a kind."""
    async for event in supervisor:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"stopped before {kind}")


def test_spawn_kill_reload_and_stop() -> None:
    async def main() -> None:
        async with Supervisor(**QUICK) as supervisor:
            code = "import libswarm, time; libswarm.ready(); time.sleep(100)"
            assert await supervisor.spawn(sys.executable, "-c", code, ready="explicit", ready_timeout=SOON, count=2) == [1, 2]
            old = {(await following(supervisor, Ready)).pid for _ in range(2)}
            await asyncio.gather(supervisor.reload(), supervisor.reload())
            await following(supervisor, Reloaded)
            infos = supervisor.list()
            assert [(info.id, info.state, info.pid in old) for info in infos] == [(1, "ready", False), (2, "ready", False)]
            await supervisor.kill(1)
            with pytest.raises(libswarm.SwarmNotFound):
                await supervisor.kill(1)
            assert [info.id for info in supervisor.list()] == [2]
        assert supervisor.list() == []
        for call in (supervisor.spawn("a"), supervisor.kill(2), supervisor.reload()):
            with pytest.raises(libswarm.SwarmClosed):
                await call
        with pytest.raises(libswarm.SwarmClosed):
            supervisor.handle_signals()
        await supervisor.stop()
        events = [event async for event in supervisor]
        assert isinstance(events[-1], Stopped)
        assert not [event async for event in supervisor]

    run(main())


def test_all_events_are_emitted_when_a_stop_returns(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        events: list[SupervisorEvent] = []
        up = asyncio.Event()

        async def line(event: Line) -> None:
            await asyncio.sleep(0)
            up.set()
            raise ValueError("this is logged, and ends nothing")

        async with Supervisor(**QUICK) as supervisor:
            for name in ("started", "exited", "stopped"):
                supervisor.on(name, events.append)
            supervisor.on("line", line)
            with pytest.raises(libswarm.SwarmInvalidArgument):
                supervisor.__aiter__()
            await supervisor.spawn(*sh(STUBBORN), count=2)
            await up.wait()
        assert [type(event) for event in events] == [Started, Started, Exited, Exited, Stopped]
        assert not [event for event in events if isinstance(event, Started) and runs(event.pid)]

    with caplog.at_level(logging.ERROR, "libswarm"):
        run(main())
    assert caplog.records


def test_a_listener_may_stop() -> None:
    async def main() -> None:
        stopped = asyncio.Event()
        supervisor = Supervisor(**QUICK)
        supervisor.on("stopped", lambda event: stopped.set())

        async def started(event: Started) -> None:
            await supervisor.stop()

        supervisor.on("started", started)
        await supervisor.spawn("sleep", "100")
        await stopped.wait()

    run(main())


def test_a_wait_that_is_cancelled_ends_nothing_else() -> None:
    async def main() -> None:
        async with Supervisor(**QUICK) as supervisor:
            await supervisor.spawn(*sh(STUBBORN))
            waiting = asyncio.create_task(following(supervisor, Stopped))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            pid = (await following(supervisor, Line)).pid
            kill = asyncio.create_task(supervisor.kill(1))
            stops = [asyncio.create_task(supervisor.stop()) for _ in range(3)]
            await asyncio.sleep(0)
            stops[0].cancel()
            await asyncio.gather(kill, *stops[1:])
            assert not runs(pid)

    run(main())


def test_several_loops_share_the_events() -> None:
    async def main() -> None:
        async with Supervisor(**QUICK) as supervisor:

            async def lines() -> list[str]:
                return [event.text async for event in supervisor if isinstance(event, Line)]

            loops = [asyncio.create_task(lines()) for _ in range(3)]
            (id,) = await supervisor.spawn(*sh("seq 1000; exec sleep 100"))
            while not any(info.state == "ready" for info in supervisor.list()):
                await asyncio.sleep(0.01)
            await supervisor.kill(id)
            await supervisor.stop()
            seen = [line for lines in await asyncio.gather(*loops) for line in lines]
            assert sorted(seen, key=int) == [str(number) for number in range(1, len(seen) + 1)]

    run(main())


def test_a_supervisor_whose_loop_is_gone_stops_its_processes(tmp_path: Path) -> None:
    async def main() -> None:
        supervisor = Supervisor(**{**QUICK, "grace": SOON})
        await supervisor.spawn(*sh(GRACEFUL.format(tmp_path / "file")))
        left.append((await following(supervisor, Line)).pid)

    left: list[int] = []
    asyncio.run(main())
    # A loop and its objects refer to each other.
    gc.collect()
    wait_until(lambda: not runs(left[0]), SOON, "its end")
    assert (tmp_path / "file").exists()
