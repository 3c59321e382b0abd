"""A master reached through Sentinels is killed while jobs are added and done."""

import pytest
from scenario import Drivers
from swarm_support import Language, Sentinels, wait_until

LANGUAGES = list(Language)


@pytest.mark.parametrize(("producer", "worker"), list(zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1], strict=True)))
def test_work_goes_on_with_the_promoted_replica(producer: Language, worker: Language, drivers: Drivers) -> None:
    with Sentinels() as sentinels:
        cluster = "failover"
        master, echo = drivers.take(producer), drivers.take(worker)
        try:
            address = {"cluster": cluster, "url": sentinels.url, "lease": 10_000, "timeout": 15_000}
            master.call("master", **address)
            echo.call("worker", behave="echo", **address)
            master.call("ready")
            echo.call("ready")
            before = master.call("run", payload=b"1", timeout=5000)
            assert before["payload"] == b"1".hex()
            replica = sentinels.replicas[0]
            offset = f"{{{cluster}}}:meta"
            seen = sentinels.master.command("HGET", offset, "completed")
            wait_until(lambda: replica.command("HGET", offset, "completed") == seen, 5, "the replica has it all")

            sentinels.kill_master()
            # The failover is done: adding and working must be back within two seconds of it, here with time for a slow machine.
            after = master.call("run", payload=b"2", timeout=15_000)
            assert after["payload"] == b"2".hex()
            wait_until(lambda: echo.call("health")["healthy"] == "true", 5, "the worker is healthy again")
            assert int(replica.command("HGET", offset, "completed")) == int(seen) + 1
        except BaseException:
            master.close()
            echo.close()
            raise
        drivers.give_back(master)
        drivers.give_back(echo)
