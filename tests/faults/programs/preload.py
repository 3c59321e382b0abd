"""A server that loads its application and then forks its workers, as gunicorn does with `--preload`.

The parent's members are refused in the children with a typed error; what the children make themselves works.
"""

import os
import sys

import libswarm

CHILDREN = 4
JOBS = 50


def child(inherited: libswarm.Master, url: str) -> int:
    try:
        inherited.add_job({"from": "child"})
    except libswarm.SwarmForked:
        pass
    else:
        return 1
    with libswarm.Master("preload", url=url) as master:
        return 0 if len(set(master.add_jobs([{"n": n} for n in range(JOBS)]))) == JOBS else 2


def main(url: str) -> None:
    master = libswarm.Master("preload", url=url)
    worker = libswarm.Worker("preload", url=url)
    worker.on("add", lambda job: job.complete())
    worker.start()
    # Both have threads and connections at work when the children are made.
    master.run({"from": "parent"})
    children = []
    for _ in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            os._exit(child(master, url))
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert codes == [0] * CHILDREN, f"the children ended with {codes}"
    # The parent's are as good as before.
    master.run({"from": "parent"}, timeout=5)
    worker.terminate()
    master.close()


main(sys.argv[1])
