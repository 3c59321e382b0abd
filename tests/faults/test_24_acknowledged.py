"""Fault 24: a message to a group of 100 members, of which 10 were killed and 10 are cut off, to be acknowledged by all. The
sender gets answers of 80, none counted twice, and how many did not answer."""

from pathlib import Path
from typing import Any

from evidence import Evidence
from swarm_support import Proxy, Redis
from team import Team

MEMBERS, KILLED, CUT = 100, 10, 10


def test_those_that_acknowledged_and_those_missing_are_known(server: Redis, tmp_path: Path, evidence: Evidence) -> None:
    with Proxy(server.port) as proxy, Team(server, tmp_path, lease=60.0) as team:
        master = team.master(name="sender")
        members = []
        for number in range(MEMBERS):
            address: dict[str, Any] = {"url": proxy.url} if number < CUT else {}
            member = team.worker(name=f"n{number:02}", group="g", **address)
            member.call("listen")
            members.append(member)
        proxy.cut()
        for member in members[CUT : CUT + KILLED]:
            member.kill()

        answer = master.call("send", to="group:g", payload=b"1", acknowledged=3000)

        names = [reply.partition(":")[0] for reply in answer.list("replies")]
        assert names == sorted({f"n{number:02}" for number in range(CUT + KILLED, MEMBERS)})
        assert (answer["recipients"], answer["missing"], answer["dropped"]) == (str(MEMBERS), str(CUT + KILLED), "0")
        evidence.measured("acknowledged", len(names), at_least=MEMBERS - KILLED - CUT)
        evidence.measured("missing", int(answer["missing"]), at_most=KILLED + CUT)
        proxy.heal()
        team.check(master, evidence)
