"""A worker receives its jobs in the order in which they were assigned to it, also while it joins."""

import pytest
from scenario import Drivers
from swarm_support import Language, Redis

JOBS = 20
ROUNDS = 10


@pytest.mark.parametrize("language", list(Language))
def test_jobs_come_in_the_order_of_their_fences(language: Language, drivers: Drivers) -> None:
    with Redis() as server:
        for number in range(ROUNDS):
            master, worker = drivers.take(language), drivers.take(language)
            address = {"cluster": f"order-{number}", "url": server.url, "lease": 5000}
            master.call("master", **address)
            master.call("ready")
            # Some jobs wait already when it is registered, others come while those are assigned.
            worker.call("worker", **address)
            ids = [master.call("add", payload=b"1", id=f"{index:03}")["id"] for index in range(JOBS)]
            received: list[tuple[int, str]] = []
            while len(received) < JOBS:
                event = worker.event()
                assert event is not None, f"only {len(received)} jobs came"
                if event["event"] == "add":
                    received.append((int(event["fence"]), event["id"]))
            assert received == sorted(received)
            assert [job for _, job in received] == ids
            drivers.give_back(master)
            drivers.give_back(worker)
