"""The servers and faults do what their names promise; otherwise the tests built on them would show nothing."""

import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from swarm_support import Certificates, Cluster, Proxy, Redis, Sentinels, WallClock, wait_until

WITH_LIMIT = str(Path(__file__).with_name("with_limit"))


def test_a_limit_ends_a_command_with_all_it_started() -> None:
    # The pipe closes when the last process is gone that writes to it.
    for limit, last, code in [("1m", "exit 7", 7), ("0.5s", "sleep 1000", 124)]:
        command = [WITH_LIMIT, limit, "sh", "-c", f"sleep 1000 & {last}"]
        assert subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=20).returncode == code


def test_an_interrupt_ends_a_command_with_all_it_started() -> None:
    # What is started in the background ignores interrupts, and so would the tests that it runs.
    hanging = ["env", "--default-signal=INT", WITH_LIMIT, "1m", "sh", "-c", "sleep 1000 & echo begun; sleep 1000"]
    with subprocess.Popen(hanging, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[0] == b""
        assert process.returncode == 128 + signal.SIGINT


def test_a_server_keeps_its_port_and_loses_its_data_when_asked_to() -> None:
    with Redis({"appendonly": "yes", "appendfsync": "always"}) as server:
        port = server.port
        server.command("SET", "key", "value")
        server.kill()
        server.start()
        assert (server.port, server.command("GET", "key")) == (port, b"value")
        server.restart_empty()
        assert (server.port, server.command("GET", "key")) == (port, None)


def test_a_tls_server_wants_a_certificate_of_its_own_authority(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Redis(certificates=certificates) as server:
        ca, cert, key = str(certificates.ca), str(certificates.client_cert), str(certificates.client_key)
        assert redis.Redis(port=server.port, ssl=True, ssl_ca_certs=ca, ssl_certfile=cert, ssl_keyfile=key).ping()
        with pytest.raises(redis.ConnectionError):
            redis.Redis(port=server.port, ssl=True, ssl_ca_certs=ca, retry=Retry(NoBackoff(), 0)).ping()


def test_a_cluster_of_three_masters_serves_all_slots() -> None:
    with Cluster() as cluster:
        slots = list(cluster.nodes[0].command("CLUSTER", "SLOTS"))
        assert len(slots) == 3


def test_a_cluster_puts_a_replica_in_the_place_of_a_killed_master() -> None:
    with Cluster(replicas=1) as cluster:
        owner = cluster.owner("key")
        owner.command("SET", "key", "value")
        assert owner.command("WAIT", 1, 5000) == 1
        promoted = cluster.kill_owner("key")
        assert (promoted is owner, promoted.command("GET", "key")) == (False, b"value")


def test_a_wall_clock_is_stepped_and_no_other_clock_moves(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)

    def wall(server: Redis) -> float:
        seconds, micros = server.command("TIME")
        return int(seconds) + int(micros) / 1e6

    with Redis(clock=clock) as server:
        assert abs(wall(server) - time.time()) < 1
        for offset in (3600, -60):
            clock.step(offset)
            assert abs(wall(server) - offset - time.time()) < 1
        # A server whose monotonic clock had stepped would close a blocked connection late or not at all.
        began = time.monotonic()
        assert server.command("BLPOP", "none", 1) is None
        assert 1 <= time.monotonic() - began < 3


def test_sentinels_put_a_replica_in_the_place_of_a_killed_master() -> None:
    with Sentinels() as sentinels:
        sentinels.master.command("SET", "key", "value")
        wait_until(lambda: sentinels.replicas[0].command("GET", "key") == b"value", 5, "the write reached the replica")
        assert sentinels.kill_master().command("GET", "key") == b"value"


class TestProxy:
    def test_forwards(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy:
            assert redis.Redis(port=proxy.port).ping()

    def test_delays_replies(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy:
            client = redis.Redis(port=proxy.port)
            client.ping()
            proxy.replies.delay = 0.2
            began = time.monotonic()
            client.ping()
            assert 0.2 <= time.monotonic() - began < 1

    def test_holds_bytes_back_while_cut_and_delivers_them_when_healed(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
            proxy.cut()
            client.sendall(b"INCR n\r\n")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(100)
            assert server.command("GET", "n") is None
            proxy.heal()
            client.settimeout(5)
            assert client.recv(100) == b":1\r\n"

    def test_loses_the_reply_of_a_command_that_was_carried_out(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
            proxy.drop_reply = lambda request: b"INCR" in request
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
            client.sendall(b"INCR n\r\n")
            with pytest.raises(ConnectionResetError):
                client.recv(100)
            assert (server.command("GET", "n"), proxy.dropped) == (b"1", 1)

    def test_silences_the_connections_that_sent_a_command(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy:
            silenced, other = (socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(2))
            with silenced, other:
                for client, command in ((silenced, b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"), (other, b"*1\r\n$4\r\nPING\r\n")):
                    client.settimeout(5)
                    client.sendall(command)
                    assert client.recv(100)
                proxy.silence(b"incr")
                other.sendall(b"PING\r\n")
                assert other.recv(100) == b"+PONG\r\n"
                silenced.sendall(b"INCR n\r\n")
                silenced.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    silenced.recv(100)
                assert server.command("GET", "n") == b"1"

    def test_resets_one_connection(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy:
            clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(3)]
            for client in clients:
                client.sendall(b"PING\r\n")
                assert client.recv(100)
            proxy.reset_one(random.Random(1))
            wait_until(lambda: proxy.connections == 2, 5, "one is gone")
            for client in clients:
                client.close()

    def test_resets_and_half_closes(self) -> None:
        with Redis() as server, Proxy(server.port) as proxy:
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.sendall(b"PING\r\n")
                client.recv(100)
                proxy.half_close()
                assert client.recv(100) == b""
                client.sendall(b"INCR n\r\n")
                wait_until(lambda: server.command("GET", "n") == b"1", 5, "the request got through")
                proxy.reset()
                wait_until(lambda: proxy.connections == 0, 5, "the connection is gone")
            proxy.refuse = True
            with socket.create_connection(("127.0.0.1", proxy.port)) as client, pytest.raises(ConnectionResetError):
                client.recv(100)
