"""A TCP proxy that does to a connection what networks do."""

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16
# SO_LINGER with a time of 0: closing sends a reset.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# The name of a command at the start of a request.
_COMMAND = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n")


class Direction:
    """What happens to the bytes that flow one way. Fields may be changed at any time from any thread."""

    def __init__(self) -> None:
        self.delay = 0.0
        """Seconds by which each byte comes later."""
        self.blackhole = False
        """Bytes are held back while set, as by a network that is cut, and delivered when it heals."""
        self.discard = False
        """Bytes are thrown away while set."""


class Proxy:
    """Listens on a port of 127.0.0.1 and forwards to `port` there. Runs on a thread of its own."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.requests = Direction()
        self.replies = Direction()
        self.refuse = False
        """New connections are reset at once while set."""
        self.drop_reply: Callable[[bytes], bool] | None = None
        """Asked with what the client sent since the last reply; when true, the reply is lost and the connection reset."""
        self.dropped = 0
        """Replies lost by `drop_reply` so far."""
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(listener,), name="fault-proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the server behind the proxy."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    def cut(self) -> None:
        """Holds back all bytes of both directions until `heal`."""
        self.requests.blackhole = self.replies.blackhole = True

    def heal(self) -> None:
        """Undoes `cut`."""
        self.requests.blackhole = self.replies.blackhole = False

    def reset(self) -> None:
        """Resets all open connections."""
        self._loop.call_soon_threadsafe(self._each, _Connection.abort)

    def reset_one(self, chance: random.Random) -> None:
        """Resets one of the open connections."""
        self._loop.call_soon_threadsafe(self._abort_one, chance)

    def silence(self, command: bytes) -> None:
        """The open connections on which `command` was ever sent fall silent for ever, as half-open ones do: no byte passes, and
        neither side is notified."""
        self._loop.call_soon_threadsafe(self._silence, command.upper())

    def half_close(self) -> None:
        """Drops the replies of all open connections, while their requests still flow."""
        self._loop.call_soon_threadsafe(self._each, _Connection.half_close)

    def close(self) -> None:
        """Resets all connections and stops listening."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _each(self, act: "Callable[[_Connection], None]") -> None:
        for connection in list(self._connections):
            act(connection)

    def _abort_one(self, chance: random.Random) -> None:
        if self._connections:
            chance.choice(list(self._connections)).abort()

    def _silence(self, command: bytes) -> None:
        for connection in self._connections:
            if command in connection.commands:
                connection.silent = True

    def _run(self, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=listener))
        self._loop.run_forever()
        self._each(_Connection.abort)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        listener.close()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            _abort(writer)
            return
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _abort(writer)
            return
        connection = _Connection(self, writer, upstream[1])
        self._connections.add(connection)
        try:
            await asyncio.gather(
                connection.pump(reader, upstream[1], self.requests, connection.note_request),
                connection.pump(upstream[0], writer, self.replies, connection.drops_reply),
            )
        except asyncio.CancelledError:
            # The proxy is closed. asyncio would log that the task, which is not awaited, was cancelled.
            pass
        finally:
            connection.abort()
            self._connections.discard(connection)


class _Connection:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._sent = b""
        self.commands: set[bytes] = set()
        """The names of those that were sent."""
        self.silent = False
        """No byte passes any more, either way."""

    def abort(self) -> None:
        _abort(self._client)
        _abort(self._server)

    def half_close(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            self._client.write_eof()

    def note_request(self, data: bytes) -> bool:
        self._sent += data
        self.commands.update(name.upper() for name in _COMMAND.findall(data))
        return False

    def drops_reply(self, _data: bytes) -> bool:
        sent, self._sent = self._sent, b""
        drop = self._proxy.drop_reply
        if drop is None or not drop(sent):
            return False
        self._proxy.dropped += 1
        self.abort()
        return True

    async def pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Direction, lost: Callable[[bytes], bool]
    ) -> None:
        loop = asyncio.get_running_loop()
        # Bytes wait here with the time at which they are due, so that a delay does not lower the throughput.
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = loop.create_task(_send(queue, sink, way))
        try:
            while data := await source.read(_CHUNK):
                if lost(data):
                    return
                if not way.discard and not self.silent:
                    queue.put_nowait((loop.time() + way.delay, data))
            if self.silent:
                # The other side does not learn of the end, either: its pump goes on until the proxy is closed.
                return
            queue.put_nowait((loop.time() + way.delay, b""))
            await sender
        except OSError:
            self.abort()
        finally:
            sender.cancel()


async def _send(queue: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter, way: Direction) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await queue.get()
        while way.blackhole or loop.time() < due:
            await asyncio.sleep(0.002 if way.blackhole else due - loop.time())
        with contextlib.suppress(OSError, RuntimeError):
            if not data:
                sink.write_eof()
                return
            sink.write(data)
            await sink.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
