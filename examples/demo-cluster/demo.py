"""A cluster of processes: demo.py <the worker in C>. SWARM_REDIS_URL says where Redis is. Exit 0 only if all of this held:

A supervisor starts workers in C, Node and Python, each on a CPU of its own. They greet one another privately, as a group and in public, and
confirm it. While jobs keep coming, one of them is killed with -9 and started again, and all are replaced one after another. Every job's result
comes back right, and Redis has accepted exactly one completion of each.

The payload of a job is a number, its result the square. A worker that receives "greet" sends "private" to each of the others, "group" to the group and
"public" to all; when it has received all three from both, it confirms "greeted".
"""

import os
import queue
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from libswarm import Master, Supervisor
from libswarm.processes import Exited, Ready, Started, SupervisorEvent

FOLDER = Path(__file__).parent
SOON = 30.0


def check(holds: object, what: str) -> None:
    """Says that something held, or ends the demo."""
    if not holds:
        raise SystemExit(f"demo-cluster: it did not hold that {what}")
    print(f"  held: {what}", flush=True)


class Load:
    """Adds jobs and checks their results, a few groups at a time, until it is stopped."""

    GROUPS, JOBS = 4, 50

    def __init__(self, master: Master) -> None:
        self.done = self.wrong = 0
        self._master = master
        self._counting = threading.Condition()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.GROUPS)]
        for thread in self._threads:
            thread.start()

    def more(self, count: int) -> bool:
        """Waits until so many more jobs are done; false if they are not soon."""
        with self._counting:
            until = self.done + count
            return self._counting.wait_for(lambda: self.done >= until, SOON)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(SOON)

    def _run(self) -> None:
        while not self._stop.is_set():
            numbers = range(self.JOBS)
            results = self._master.run_many(list(numbers), timeout=SOON)
            with self._counting:
                self.wrong += sum(result != number**2 for number, result in zip(numbers, results, strict=True))
                self.done += len(numbers)
                self._counting.notify_all()


class Watch:
    """What the supervisor has reported, to wait for."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._events: queue.SimpleQueue[SupervisorEvent] = queue.SimpleQueue()
        for name in ("started", "ready", "exited"):
            supervisor.on(name, self._events.put)

    def until(self, wanted: Callable[[SupervisorEvent], bool], what: str) -> None:
        deadline = time.monotonic() + SOON
        while True:
            try:
                event = self._events.get(timeout=deadline - time.monotonic())
            except (queue.Empty, ValueError):
                raise SystemExit(f"demo-cluster: not within {SOON:g} s: {what}") from None
            match event:
                case Exited(name=name, pid=pid, exit=end):
                    print(f"  {name} ({pid}) {end}", flush=True)
                case Started(name=name, pid=pid) | Ready(name=name, pid=pid):
                    print(f"  {name} ({pid}) {'started' if isinstance(event, Started) else 'is ready'}", flush=True)
            if wanted(event):
                return


def table(master: Master) -> None:
    """Who is there, as Redis knows it."""
    print(f"  {'name':8} {'language':9} {'role':7} {'pid':>7} {'active':>5} {'lease left':>11}")
    for member in master.members():
        name = member.name or "(demo)"
        row = f"  {name:8} {member.language:9} {member.role:7} {member.pid:7} {member.active:5} {member.lease_left:9.1f} s"
        print(row, flush=True)


def main(worker_c: str) -> None:
    cluster = f"demo-cluster-{uuid.uuid4().hex[:8]}"
    cpus = sorted(os.sched_getaffinity(0))
    programs = {
        "c": [worker_c],
        "node": ["node", str(FOLDER / "worker.js")],
        "python": [sys.executable, str(FOLDER / "worker.py")],
    }
    with Master(cluster, url=os.environ["SWARM_REDIS_URL"], name="demo") as master, Supervisor(grace=10.0) as supervisor:
        watch = Watch(supervisor)
        print("starting")
        for at, (name, command) in enumerate(programs.items()):
            cpu = cpus[at % len(cpus)]
            supervisor.spawn(*command, cluster, name=name, cpus=[cpu], ready="explicit")
            watch.until(lambda event, name=name: isinstance(event, Ready) and event.name == name, f"{name} is ready")
        pids = {process.name: process.pid for process in supervisor.list()}
        check(all(os.sched_getaffinity(pid) == {cpus[at % len(cpus)]} for at, pid in enumerate(pids.values()) if pid), "each is on its CPU")
        table(master)

        print("greeting")
        confirmed = queue.SimpleQueue[object]()
        threading.Thread(target=lambda: confirmed.put(master.confirmations(3, "greeted")), daemon=True).start()
        while not receives(master):
            time.sleep(0.01)
        receipt = master.send({"group": "workers"}, "greet", acknowledged=SOON)
        check(len(receipt.recipients) == 3 and not receipt.missing, "three workers received the greeting")
        members = confirmed.get(timeout=SOON)
        check(sorted(member.name for member in members) == ["c", "node", "python"], "all three received the messages of the others in all three ways")

        print("killing one under load")
        load = Load(master)
        check(load.more(500), "jobs are done")
        os.kill(pids["node"], signal.SIGKILL)
        watch.until(lambda event: isinstance(event, Exited) and event.pid == pids["node"], "the killed one has ended")
        watch.until(lambda event: isinstance(event, Ready) and event.name == "node", "another is ready")
        check(load.more(500), "they are still done, those of the killed one, too")

        print("replacing all under load")
        before = {process.pid for process in supervisor.list()}
        supervisor.reload()
        check(before.isdisjoint(process.pid for process in supervisor.list()), "all were replaced")
        load.stop()
        stats = master.stats()
        check(load.wrong == 0, f"each of {load.done} jobs had its result")
        check((stats.completed, stats.waiting, stats.active, stats.failures) == (load.done, 0, 0, 0), "each was completed exactly once")
        table(master)

        print("stopping")
        supervisor.stop()
        check(not supervisor.list(), "nothing is left")
        master.obliterate()
    print("All active.")


def receives(master: Master) -> bool:
    """Whether the demo itself receives messages, which it shows by one to itself."""
    return bool(master.send({"name": "demo"}, "probe", to_self=True).recipients)


if __name__ == "__main__":
    main(*sys.argv[1:])
