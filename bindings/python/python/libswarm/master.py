"""A master of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Unpack

from . import _lifecycle, _native
from ._api.master import MasterApi
from ._calling import check_listener, log_raised, message_of, start_thread
from ._choice import Choosing
from ._chooser import ChooseCallback, ChooserThread
from ._master import BATCH
from ._member import ThreadMember
from ._options import ConnectionOptions
from .errors import SwarmClosed, SwarmInternal
from .jobs import JobOptions


class Master(ThreadMember, MasterApi, Choosing[ChooserThread]):
    """Adds and deletes jobs of one cluster, and waits for their results.

    Connects in the background, from the start. A call waits for the connection, at most the option `timeout`, and raises the
    error that prevents it. All methods are thread-safe. A context manager; otherwise it must be closed by `close`.

    Payloads and results are values that `json` and `to_json` can write, or bytes (`bytes`, `bytearray`, `memoryview`), which stay
    bytes.
    """

    def __init__(self, cluster: str, **options: Unpack[ConnectionOptions]) -> None:
        """`cluster` names the cluster, 1 to 256 bytes without braces; see `ConnectionOptions` for the rest."""
        super().__init__(cluster, dict(options))
        self._mailbox: _native.Mailbox | None = None
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.Lock()
        _lifecycle.register(self)

    @property
    def _here(self) -> _native.Master:
        return self._native

    def _add(self, payload: object, options: JobOptions) -> tuple[str, bool]:
        added: list[tuple[str, bool]] = self._native.add(payload, options).wait()
        return added[0]

    def _choose(self, callback: ChooseCallback, within: float, tasks: Sequence[str]) -> None:
        check_listener(callback, coroutines=False)
        chooser = ChooserThread(self._native, callback, self._choosing_failed)
        try:
            self._native.start_choosing(within, tasks).wait()
            if (before := self._replace_chooser(chooser)) is not None:
                before.join(1.0)
            chooser.start()
        except BaseException:
            self._no_chooser(chooser)
            raise

    def _stop_choosing(self) -> None:
        before = self._replace_chooser(None)
        self._native.stop_choosing().wait()
        if before is not None:
            before.join(1.0)

    def _take_events(self) -> None:
        with self._thread_lock:
            if self._thread is None:
                mailbox = _native.Mailbox()
                self._thread = start_thread(lambda: self._run(mailbox), "libswarm-master")
                self._mailbox = mailbox
                self._native.listen(mailbox)

    def _run(self, mailbox: _native.Mailbox) -> None:
        """The thread of the listeners."""
        try:
            self._emit_events(mailbox)
        except BaseException as error:
            log_raised("the thread of a master's listeners has failed", error=error)
            failure = SwarmInternal(f"the thread of a master's listeners has failed: {message_of(error)}")
            failure.__cause__ = error
            self._emit_error(failure)

    def _emit_events(self, mailbox: _native.Mailbox) -> None:
        try:
            while True:
                mailbox.wait()
                mailbox.take()
                while events := self._native.take(BATCH):
                    for event in events:
                        self._emit_event(*event)
        except SwarmClosed:
            self._emit("close", None)

    def _begin_close(self) -> _native.Call | None:
        return self._leave()

    def _end_close(self) -> None:
        self._left(1.0)

    def _leave(self) -> _native.Call | None:
        self._muted = True
        if self._chooser is not None:
            self._chooser.stop()
        return self._native.close()

    def _left(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        if self._chooser is not None:
            self._chooser.join(patience)
        if self._mailbox is not None and self._thread is not None:
            self._mailbox.announce()
            if self._thread is not threading.current_thread():
                self._thread.join(max(0.0, deadline - time.monotonic()))
