"""Messages between members, and who comes and goes, by threads and in an event loop."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from swarm_support import Redis, add_acl_user, wait_until

import libswarm
from conftest import SOON, Script
from libswarm import Job, Master, MemberChange, MemberRef, Message, Worker, aio
from test_aio import in_loop, until


class Listening:
    """A worker that collects messages."""

    def __init__(self, cluster: str, url: str, **options: Any) -> None:
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.worker = Worker(cluster, url=url, **options)
        self.worker.on_message(self.messages.put)
        self.worker.start().ready()

    def next(self) -> Message:
        return self.messages.get(timeout=SOON)


@pytest.fixture
def listen(cluster: str, url: str) -> Iterator[Callable[..., Listening]]:
    """Starts workers that receive messages when it returns."""
    started: list[Listening] = []

    def one(name: str = "", **options: Any) -> Listening:
        started.append(Listening(cluster, url, name=name, **options))
        return started[-1]

    yield one
    for listening in started:
        listening.worker.terminate(grace=0.0)


Listen = Callable[..., Listening]


def test_messages_reach_their_recipients_and_name_their_sender(cluster: str, url: str, listen: Listen) -> None:
    ann, bob, eve = listen("ann", group="a"), listen("bob", group="a"), listen("eve")
    everyone = [member.worker.incarnation for member in (ann, bob, eve)]
    with Master(cluster, url=url, name="sender", group="masters") as master:
        receipt = master.send("all", {"n": 1})
        assert (sorted(receipt.recipients), receipt.dropped, receipt.replies, receipt.missing) == (sorted(everyone), 0, [], [])
        assert sorted(master.send({"group": "a"}, "a's").recipients) == sorted(everyone[:2])
        assert master.send({"name": "eve"}, b"\xff").recipients == everyone[2:]
        assert master.send({"member": everyone[1]}, "bob's").recipients == everyone[1:2]
        assert len(master.send({"pid": os.getpid()}, "here").recipients) == 3
        assert len(master.send({"pid": os.getpid(), "host": socket.gethostname()}, "here").recipients) == 3
        assert master.send({"pid": os.getpid(), "host": "elsewhere"}, "elsewhere").recipients == []
        assert master.send({"name": "nobody"}, "nobody's", request=3600.0).recipients == []
        message = bob.next()
        assert (message.payload, message.payload_bytes, message.content_type, message.wants_reply) == (
            {"n": 1},
            b'{"n":1}',
            "json",
            False,
        )
        assert message.payload is message.payload
        assert message.sender == MemberRef(master.incarnation, "sender", "masters", socket.gethostname(), os.getpid())
        assert repr(message) == '<Message from "sender">'
        with pytest.raises(libswarm.SwarmInvalidArgument, match="does not wait for a reply"):
            message.reply(1)
        assert [bob.next().payload for _ in range(4)] == ["a's", "bob's", "here", "here"]
        message = [eve.next() for _ in range(2)][1]
        assert (message.payload, message.content_type) == (b"\xff", "bytes")
        assert ann.worker.send({"name": "ann"}, "mine").recipients == []
        assert ann.worker.send({"name": "ann"}, "mine", to_self=True).recipients == everyone[:1]
        assert ann.worker.send({"name": "eve"}).recipients == everyone[2:]
        assert [eve.next().payload for _ in range(3)] == ["here", "here", None]


def test_values_that_cannot_be_sent_are_refused(master: Master) -> None:
    refused: list[Any] = ["some", 7, None, {}, {"group": ""}, {"colour": "red"}, {"host": "here"}, {"name": 7}, {"pid": -1}]
    refused += [{"group": "g", "name": "n"}, {"group": "g", "host": "here"}, {"pid": "7"}, {7: "n"}]
    for to in refused:
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.send(to, 1)
    limits: list[dict[str, Any]] = [{"acknowledged": 0}, {"request": -1}, {"request": 4e7}, {"acknowledged": 1, "request": 1}]
    for limit in limits:
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.send("all", 1, **limit)
    for payload in (float("nan"), object()):
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.send("all", payload)
    with pytest.raises(libswarm.SwarmTooLarge):
        master.send("all", bytes(64 * 1024 + 1))
    for data in (b"{}", float("nan")):
        with pytest.raises(libswarm.SwarmInvalidArgument):
            master.set_data(data)
    with pytest.raises(libswarm.SwarmTooLarge):
        master.set_data("x" * 4096)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.confirm("")
    with pytest.raises(libswarm.SwarmInvalidArgument):
        master.confirmations(-1, "n")
    assert master.confirmations(0, "n") == []
    master.close()
    calls: list[Callable[[], object]] = [
        lambda: master.send("all", 1),
        lambda: master.confirm("n"),
        lambda: master.confirmations(1, "n"),
        lambda: master.set_data(1),
        lambda: master.on_message(str),
    ]
    for call in calls:
        with pytest.raises(libswarm.SwarmClosed):
            call()
    with pytest.raises(libswarm.SwarmClosed, match="not started"):
        Worker("never").send("all", 1)


def test_acknowledgements_and_replies_are_collected_and_those_missing_named(master: Master, listen: Listen) -> None:
    ann, bob = listen("ann"), listen("bob")
    receipt = master.send("all", "read", acknowledged=SOON)
    assert sorted(reply.sender.name for reply in receipt.replies) == ["ann", "bob"]
    assert {(reply.payload, reply.payload_bytes, reply.content_type) for reply in receipt.replies} == {(None, None, None)}
    assert receipt.missing == []

    @ann.worker.on_message
    def answer(message: Message) -> None:
        message.reply({"me": message.payload})
        message.reply("again")

    asked = master.send("all", 7, request=0.5)
    (reply,) = asked.replies
    assert (reply.sender.name, reply.payload, reply.payload_bytes, reply.content_type) == ("ann", {"me": 7}, b'{"me":7}', "json")
    assert asked.missing == [bob.worker.incarnation]
    unanswered = [message for message in (bob.next(), bob.next()) if message.wants_reply]
    with pytest.raises(libswarm.SwarmTooLarge):
        unanswered[0].reply(bytes(64 * 1024 + 1))


def test_no_wait_includes_a_member_that_left_and_its_replies_are_not_sent(master: Master, cluster: str, url: str) -> None:
    ann = Listening(cluster, url)
    incarnation = ann.worker.incarnation
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(master.send, "all", "who", request=3600.0)
        message = ann.next()
        ann.worker.terminate(grace=0.0)
        assert message.reply("late") is False
        assert asked.result(SOON).missing == [incarnation]


def test_messages_of_many_calls_keep_their_order_and_are_sent_before_a_member_leaves(
    cluster: str, url: str, listen: Listen
) -> None:
    ann = listen("ann")

    async def send() -> None:
        async with aio.Master(cluster, url=url) as master:
            for n in range(2000):
                # Not awaited, and yet in order.
                master.send({"name": "ann"}, n)

    asyncio.run(send())
    assert [ann.next().payload for _ in range(2000)] == list(range(2000))


def test_listeners_may_come_before_or_after_a_member_registers(master: Master, cluster: str, url: str) -> None:
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with Master(cluster, url=url) as early, Worker(cluster, url=url) as late:
        early.on_message(lambda message: received.put(("early", message.payload)))
        early.ready()
        late.ready()
        assert master.send("all", 1, acknowledged=SOON).recipients == [early.incarnation]
        late.on("message", lambda message: received.put(("late", message.payload)))
        late.ready()
        assert sorted(master.send("all", 2, acknowledged=SOON).recipients) == sorted([early.incarnation, late.incarnation])
        messages = [received.get(timeout=SOON) for _ in range(3)]
        assert (messages[0], sorted(messages[1:])) == (("early", 1), [("early", 2), ("late", 2)])


def test_a_member_that_registers_again_receives_again(cluster: str) -> None:
    with Redis() as server:
        ann = Listening(cluster, server.url, name="ann")
        before = ann.worker.incarnation
        ann.worker.set_data({"shard": 7})
        with Master(cluster, url=server.url) as master:
            server.command("FLUSHALL")
            wait_until(lambda: ann.worker.incarnation != before and master.members(), SOON, "they are back")
            wait_until(lambda: master.send({"name": "ann"}, "again").recipients, SOON, "it receives")
            assert ann.next().payload == "again"
            assert [member.data for member in master.members() if member.name == "ann"] == [{"shard": 7}]
        ann.worker.terminate(grace=0.0)


def test_a_member_without_permission_to_subscribe_gets_an_error(cluster: str) -> None:
    with Redis() as server:
        add_acl_user(server, "ann", "secret", cluster)
        errors: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with Master(cluster, url=server.url, username="ann", password="secret") as master:
            master.on_error(errors.put)
            master.ready()
            server.command("ACL", "SETUSER", "ann", "-evalsha", "-eval")
            master.on_message(print)
            assert isinstance(errors.get(timeout=SOON), libswarm.SwarmPermissionDenied)
            server.command("ACL", "SETUSER", "ann", "+evalsha", "+eval")


@pytest.mark.parametrize("form", ["listener", "handler", "loop"])
def test_messages_come_beside_the_jobs(form: str, master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, slots=1)
    go, begun = threading.Event(), threading.Event()
    worker.on_message(lambda message: message.reply(message.payload))

    def handle(job: Job) -> None:
        begun.set()
        assert go.wait(SOON)

    def loop() -> None:
        for job in worker:
            handle(job)
            job.complete()

    if form == "listener":
        worker.on_add(lambda job: begun.set())
    elif form == "handler":
        worker.process(handle)
    with worker:
        if form == "loop":
            threading.Thread(target=loop, daemon=True).start()
        worker.ready()
        master.add_job("long")
        assert begun.wait(SOON)
        assert [reply.payload for reply in master.send("all", [7], request=SOON).replies] == [[7]]
        go.set()


def test_a_listener_that_raises_stops_no_other(master: Master, listen: Listen, caplog: pytest.LogCaptureFixture) -> None:
    ann = listen("ann")
    ann.worker.on_message(lambda: None)
    ann.worker.on_message(ann.messages.put)
    master.send("all", 1)
    master.send("all", 2)
    assert [ann.next().payload for _ in range(4)] == [1, 1, 2, 2]
    wait_until(lambda: caplog.text.count("TypeError") >= 2, SOON, "it is logged")


def test_no_message_is_emitted_after_a_member_was_closed(cluster: str, url: str, master: Master) -> None:
    received: list[Any] = []
    go, begun = threading.Event(), threading.Event()

    def receive(message: Message) -> None:
        received.append(message.payload)
        begun.set()
        go.wait(SOON)

    listener = Master(cluster, url=url)
    listener.on_message(receive)
    listener.ready()
    worker = Worker(cluster, url=url)
    worker.on_message(receive)
    worker.start().ready()
    for n in range(5):
        assert len(master.send("all", n).recipients) == 2
    assert begun.wait(SOON)
    wait_until(lambda: len(received) == 2, SOON, "both are at the first")
    listener.close()
    worker.terminate(grace=0.0)
    go.set()
    for name in ("libswarm-master", f"libswarm-{cluster}"):
        for thread in threading.enumerate():
            if thread.name == name:
                thread.join(SOON)
                assert not thread.is_alive()
    assert received == [0, 0]


def test_confirmations_count_distinct_members(master: Master, cluster: str, url: str, listen: Listen) -> None:
    ann, bob = listen("ann"), listen("bob")
    confirmed: queue.SimpleQueue[list[MemberRef]] = queue.SimpleQueue()
    threading.Thread(target=lambda: confirmed.put(master.confirmations(2, "up")), daemon=True).start()
    # It listens from then on, whether anybody wants its messages or not.
    wait_until(lambda: master.incarnation in ann.worker.send("all", 0).recipients, SOON, "it waits")
    assert not ann.worker.send({"member": master.incarnation}, 0, acknowledged=SOON).missing
    for member, name in ((ann, "up"), (ann, "up"), (bob, "other")):
        member.worker.confirm(name)
    # Later than what was confirmed before.
    assert not bob.worker.send({"member": master.incarnation}, 0, acknowledged=SOON).missing
    assert confirmed.empty()
    bob.worker.confirm("up")
    assert [member.name for member in confirmed.get(timeout=SOON)] == ["ann", "bob"]


def test_members_that_join_leave_and_are_lost_are_reported(
    cluster: str, url: str, background: Callable[[str], subprocess.Popen[str]]
) -> None:
    changes: queue.SimpleQueue[MemberChange] = queue.SimpleQueue()
    with Master(cluster, url=url) as watcher:
        watcher.on_member(changes.put)
        watcher.ready()
        with Worker(cluster, url=url, name="ann") as ann:
            change = changes.get(timeout=SOON)
            assert (change.change, change.role, change.member.name, change.member.pid) == ("joined", "worker", "ann", os.getpid())
            ann.set_data({"shard": 7})
            (found,) = [member for member in watcher.members() if member.name == "ann"]
            assert (found.data, found.dropped, found.incarnation) == ({"shard": 7}, 0, change.member.incarnation)
            assert [member.data for member in watcher.members() if member.role == "master"] == [None]
        assert changes.get(timeout=SOON) == MemberChange("left", "worker", change.member)
        dying = background(
            "import libswarm, time\neve = libswarm.Master(cluster, url=url, name='eve', lease=1.0)\neve.ready()\ntime.sleep(60)"
        )
        joined = changes.get(timeout=SOON)
        os.kill(dying.pid, signal.SIGKILL)
        assert (joined.change, joined.role, joined.member.name) == ("joined", "master", "eve")
        assert changes.get(timeout=SOON) == MemberChange("lost", "master", joined.member)


def test_messages_that_are_not_taken_are_dropped_and_reported(master: Master, cluster: str, url: str) -> None:
    worker = Worker(cluster, url=url, name="slow")
    go, begun = threading.Event(), threading.Event()
    errors: queue.SimpleQueue[Any] = queue.SimpleQueue()
    received = 0

    def receive(message: Message) -> None:
        nonlocal received
        begun.set()
        go.wait(3 * SOON)
        received += 1

    worker.on_message(receive)
    worker.on_error(errors.put)
    with worker:
        worker.ready()
        master.send("all", "first")
        assert begun.wait(SOON)

        async def flood() -> None:
            async with aio.Master(cluster, url=url) as master:
                for _ in range(22):
                    await asyncio.gather(*(master.send("all", n) for n in range(500)))
                # Behind all those.
                await master.send("all", "last", acknowledged=0.1)

        asyncio.run(flood())
        go.set()
        assert isinstance(errors.get(timeout=SOON), libswarm.SwarmMessagesDropped)
        wait_until(lambda: received > 10_000, SOON, "what was kept is received")


@in_loop
async def test_in_a_loop_listeners_may_be_coroutines_and_messages_go_in_order(cluster: str, url: str) -> None:
    received: list[tuple[str, object]] = []
    changes: list[str] = []
    async with aio.Master(cluster, url=url, name="ann") as ann:

        @ann.on_message
        async def receive(message: Message) -> None:
            await asyncio.sleep(0)
            received.append((message.sender.name, message.payload))
            if message.wants_reply:
                message.reply([message.payload])

        ann.on_member(lambda change: changes.append(f"{change.change} {change.member.name}"))
        await ann.ready()
        async with aio.Worker(cluster, url=url, name="bob", slots=1) as bob:
            await bob.ready()
            receipts = await asyncio.gather(*(bob.send("all", n) for n in range(500)))
            assert {tuple(receipt.recipients) for receipt in receipts} == {(ann.incarnation,)}
            await until(lambda: len(received) == 500, "all are received")
            assert received == [("bob", n) for n in range(500)]
            (reply,) = (await bob.send({"name": "ann"}, "who", request=SOON)).replies
            assert (reply.sender.name, reply.payload) == ("ann", ["who"])
            bob.on_message(lambda message: received.append(("to bob", message.payload)))
            await bob.ready()
            assert not (await ann.send("all", b"x", acknowledged=SOON)).missing
            assert received[-1] == ("to bob", b"x")
            waiting = asyncio.ensure_future(bob.confirmations(1, "up"))
            await asyncio.sleep(0)
            await ann.confirm("up")
            assert [member.name for member in await waiting] == ["ann"]
            await bob.set_data([1])
            assert [member.data for member in await ann.members()] == [None, [1]]
            with pytest.raises(libswarm.SwarmTooLarge):
                await bob.send("all", bytes(64 * 1024 + 1))
            asking = bob.send({"name": "ann"}, 1, request=SOON)
            asking.cancel()
            forever = asyncio.ensure_future(bob.confirmations(1, "never"))
            await asyncio.sleep(0)
        with pytest.raises(libswarm.SwarmClosed):
            await forever
        await until(lambda: changes == ["joined bob", "left bob"], "both are reported")
        with pytest.raises(libswarm.SwarmClosed):
            await bob.send("all", 1)


@in_loop
async def test_many_messages_for_a_master_in_a_loop_are_all_emitted(cluster: str, url: str) -> None:
    received: list[object] = []
    async with aio.Master(cluster, url=url) as ann, aio.Master(cluster, url=url) as bob:
        ann.on_message(lambda message: received.append(message.payload))
        await ann.ready()
        await bob.ready()
        sent = [bob.send("all", n) for n in range(1000)]
        # They gather while the loop is at something else.
        threading.Event().wait(0.05)
        await asyncio.gather(*sent)
        await until(lambda: received == list(range(1000)), "all are received")


def test_a_program_that_is_at_messages_ends_by_itself(script: Script) -> None:
    done = script(
        """
import threading
from libswarm import Master, Worker
master, worker = Master(cluster, url=url), Worker(cluster, url=url)
asked = threading.Event()

@worker.on_message
def receive(message):
    asked.set()

worker.on_member(lambda change: None)
worker.start().ready()
threading.Thread(target=lambda: master.send("all", 1, request=60), daemon=True).start()
threading.Thread(target=lambda: master.confirmations(1, "never"), daemon=True).start()
assert asked.wait(10)
while master.incarnation not in worker.send("all", 0).recipients:
    pass
"""
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
