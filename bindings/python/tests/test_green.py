"""Greenlets that stand in for threads: what needs a thread is refused, and nothing freezes."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from conftest import Script

#: As gevent does: what is started as a thread runs in the thread that starts it, and at once.
REPLACED = """
import _thread, threading

def start_in_place(function, arguments=(), options=None):
    function(*arguments, **(options or {}))
    return _thread.get_ident()

threading._start_new_thread = start_in_place
"""


@pytest.mark.parametrize("patch", ["replaced", "gevent"])
def test_calls_that_need_a_thread_are_refused(patch: str, script: Script) -> None:
    if patch == "gevent" and find_spec("gevent") is None:
        pytest.skip("gevent is not installed")
    first = "from gevent import monkey; monkey.patch_all()\n" if patch == "gevent" else REPLACED
    done = script(
        first
        + """
from libswarm import Master, Supervisor, SwarmInvalidArgument, Worker

worker = Worker(cluster, url=url)
worker.process(print)
master = Master(cluster, url=url)
supervisor = Supervisor()
for start in (
    worker.start,
    worker.run,
    lambda: master.on_ready(print),
    lambda: master.choose(lambda job, workers: None),
    lambda: supervisor.on("exited", print),
):
    try:
        start()
    except SwarmInvalidArgument as error:
        print("greenlets" in str(error))
# A master's calls block, and work.
print(master.add_job(1, id="mine"), len(master.members()), worker.incarnation == "")
master.close()
supervisor.stop()
"""
    )
    assert done.stdout.split() == ["True"] * 5 + ["mine", "1", "True"], done.stderr
    assert done.returncode == 0, done.stderr
