"""Functions that run as jobs, from threads and event loops."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections.abc import Iterator
from typing import assert_type

import pytest
from swarm_support import wait_until

import libswarm
from conftest import SOON
from libswarm import App, aio, current_job
from libswarm.aio import App as LoopApp
from test_aio import in_loop


@dataclasses.dataclass
class Image:
    path: str
    taken: datetime.date


@pytest.fixture
def app(cluster: str, url: str) -> Iterator[App]:
    with App(cluster, url=url) as app:
        yield app


def test_a_function_runs_as_a_job(app: App) -> None:
    @app.task(retries=2)
    def resize(image: Image, width: int = 100, *, name: str | None = None) -> Image:
        """Makes it smaller."""
        assert (current_job().task, current_job().retries_left) == ("resize", 2)
        return Image(f"{name or image.path}-{width}", image.taken)

    @app.task
    def ping() -> None:
        pass

    image = Image("a", datetime.date(2026, 1, 2))
    assert (resize.name, resize.__doc__) == ("resize", "Makes it smaller.")
    with app.worker():
        result = resize.with_options(timeout=SOON).run(image, width=5)
        assert_type(result, Image)
        assert result == Image("a-5", image.taken)
        assert resize.run(image, name="b") == Image("b-100", image.taken)
        assert ping.run() is None


def test_its_payload_has_its_arguments_by_name(app: App) -> None:
    @app.task(name="mail", priority=3)
    def send(to: str, text: str = "") -> None:
        pass

    id = send.with_options(delay=60, priority=4).add("you", text="hello")
    info = app.master().job(id)
    assert info is not None
    assert (info.task, info.priority, info.state, info.payload) == ("mail", 4, "delayed", {"to": "you", "text": "hello"})
    with pytest.raises(TypeError, match="to"):
        send.add()  # type: ignore[call-arg]
    with pytest.raises(libswarm.SwarmInvalidArgument, match="no job of an App"):
        current_job()


def test_a_payload_that_does_not_fit_the_parameters_fails_the_job(app: App) -> None:
    @app.task
    def double(number: int) -> int:
        return 2 * number

    with app.worker():
        for payload, part in (({"number": "1"}, "number of the task `double`"), ({"n": 1}, "no parameter `n`"), (1, "no object")):
            with pytest.raises(libswarm.SwarmJobFailed, match=part):
                app.master().run(payload, task="double", timeout=SOON)
    assert double(4) == 8


def test_invalid_tasks_are_refused(app: App) -> None:
    def many(*values: int) -> None:
        pass

    def options(**values: int) -> None:
        pass

    def first(value: int, /) -> None:
        pass

    for function in (many, options, first):
        with pytest.raises(libswarm.SwarmInvalidArgument, match="each needs a name"):
            app.task(function)
    app.task(name="a")(test_a_function_runs_as_a_job)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="there is a task `a` already"):
        app.task(name="a")(test_a_function_runs_as_a_job)
    with pytest.raises(libswarm.SwarmInvalidArgument, match="leave the option out"):
        app.task(task="b")(test_a_function_runs_as_a_job)


@in_loop
async def test_a_coroutine_function_runs_as_a_job(cluster: str, url: str) -> None:
    async with LoopApp(cluster, url=url) as app:

        @app.task
        async def days(first: datetime.date, last: datetime.date) -> int:
            assert current_job().task == "days"
            return (last - first).days

        async with app.worker():
            result = await days.run(datetime.date(2026, 1, 1), last=datetime.date(2026, 1, 3))
            assert_type(result, int)
            assert result == 2
        with pytest.raises(libswarm.SwarmInvalidArgument, match="no job of an App"):
            await days(datetime.date(2026, 1, 1), datetime.date(2026, 1, 2))
        assert isinstance(app.master(), aio.Master)


def test_its_master_is_shared_by_threads(app: App) -> None:
    masters: list[object] = []
    threads = [threading.Thread(target=lambda: masters.append(app.master())) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(masters) == len(threads), SOON, "all have one")
    assert len(set(map(id, masters))) == 1
