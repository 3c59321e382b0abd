"""Forks: what was made before raises a typed error in the child, what is made there works, and nothing hangs."""

from __future__ import annotations

from conftest import Script

BEFORE = """
import os, sys, threading, faulthandler, warnings
faulthandler.dump_traceback_later(20, exit=True)
warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which is the point here
import libswarm
from libswarm import Master, Worker

def in_child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status

def refused(call):
    try:
        call()
    except libswarm.SwarmForked:
        return
    raise AssertionError("not refused")
"""


def test_objects_of_the_parent_are_refused_and_new_ones_work(script: Script) -> None:
    done = script(
        BEFORE
        + """
master = Master(cluster, url=url)
worker = Worker(cluster, url=url)
assigned = threading.Event()
jobs = []
worker.on("add", lambda job: (jobs.append(job), assigned.set()))
worker.start()
call = master._native.add("active", {})
call.wait()
assert assigned.wait(10)

def child():
    for refuse in (
        lambda: master.add_job(), lambda: master.add_jobs([1]), lambda: master.stats(), lambda: master.close(),
        lambda: worker.health(), lambda: worker.drain(), lambda: worker.terminate(), lambda: jobs[0].complete(),
        lambda: jobs[0].id, lambda: call.wait(),
    ):
        refused(refuse)
    with Master(cluster + "-child", url=url) as own, Worker(cluster + "-child", url=url) as helper:
        helper.on("add", lambda job: job.complete(job.payload + 1))
        assert own.run(1, timeout=10) == 2

for _ in range(5):
    in_child(child)
master.add_job()
jobs[0].complete().wait(10)
worker.terminate()
master.close()
print("fine")
"""
    )
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


def test_a_child_that_drops_everything_ends(script: Script) -> None:
    done = script(
        BEFORE
        + """
import gc

master = Master(cluster, url=url)
master.ready()
worker = Worker(cluster, url=url).start()
worker.ready()

def child():
    global master, worker
    del master, worker
    gc.collect()

for _ in range(20):
    in_child(child)
assert master.add_job()
worker.terminate()
"""
    )
    assert done.returncode == 0, done.stderr


def test_forks_while_other_threads_are_at_work(script: Script) -> None:
    done = script(
        BEFORE
        + """
stop = threading.Event()

def busy():
    with Master(cluster, url=url) as master:
        while not stop.is_set():
            master.add_jobs(range(10))

threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads:
    thread.start()

def child():
    with Master(cluster, url=url) as own:
        own.add_job()

for _ in range(20):
    in_child(child)
stop.set()
for thread in threads:
    thread.join()
""",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_ids_of_parent_and_child_differ(script: Script) -> None:
    done = script(
        BEFORE
        + """
with Master(cluster, url=url) as master:
    master.add_job()
read, write = os.pipe()

def add():
    with Master(cluster, url=url) as own:
        added = [own.add() for _ in range(10)]
        assert not any(job.existed for job in added)
        os.write(write, ("".join(job.id for job in added)).encode())

in_child(add)
in_child(add)
add()
ids = os.read(read, 10_000).decode()
ids = [ids[at : at + 20] for at in range(0, len(ids), 20)]
assert len(ids) == len(set(ids)) == 30, ids
"""
    )
    assert done.returncode == 0, done.stderr


def test_multiprocessing_by_fork_and_by_spawn(script: Script, tmp_path: object) -> None:
    done = script(
        f"""
import pathlib, subprocess, sys
program = pathlib.Path({str(tmp_path)!r}, "program.py")
program.write_text('''
import multiprocessing, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from libswarm import Master

cluster, url = sys.argv[1:]

def work(n):
    with Master(cluster, url=url) as master:
        return master.add_job(n)

if __name__ == "__main__":
    with Master(cluster, url=url) as master:
        master.ready()
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert len(set(pool.map(work, range(6)))) == 6
        assert master.stats().added == 12
''')
sys.exit(subprocess.run([sys.executable, program, cluster, url], timeout=40).returncode)
""",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
