"""The messages of masters and workers."""

from __future__ import annotations

from libswarm import _native
from libswarm._native import Call
from libswarm._subscriptions import Subscriptions
from libswarm.types import MemberRef, Receipt, To

from .._waiting import SentMessage, Waiting


class MessagesApi(Subscriptions):
    """Messages to other members, and confirmations that members wait for."""

    def send(
        self,
        to: To,
        payload: object = None,
        *,
        acknowledged: float | None = None,
        request: float | None = None,
        to_self: bool = False,
    ) -> SentMessage:
        """Sends a message to the members that subscribe to messages, and waits until Redis has put it into their inboxes.

        `to` is "all", `{"group": …}`, `{"name": …}`, `{"pid": …}` with a `host` unless it is this one, or `{"member": …}`, an
        incarnation. With `to_self` the sender may be among them. The payload is what `json` can write, or bytes; 64 KiB at most.

        With `acknowledged` it waits, at most so many seconds, until each recipient is about to process the message; with
        `request` until each has replied. Only one of these limits, 1 ms to a year, can be given. A message without recipients
        returns at once. The messages of a member arrive in the order of these calls; up to 10,000 may wait to be sent. In asyncio
        that order holds whether the calls are awaited or not, and cancelling the wait does not cancel the message.

        Raises SwarmInvalidArgument, SwarmTooLarge, SwarmUnavailable or another retryable error if it was not sent within the
        option `timeout`, and SwarmOutcomeUnknown if it may have been.
        """
        receipt: SentMessage = self._await(self._here.messages().send(to, payload, acknowledged, request, to_self))
        return receipt

    async def kill(self, to: To, code: int = 0) -> Receipt:
        """Requests that the programs of members exit with this code: they receive the event `kill`. `to` is as for `send`."""
        receipt: Receipt = await self._await(self._here.messages().kill(to, code))
        return receipt

    async def confirm(self, name: str) -> None:
        """Confirms `name`, 1 to 256 bytes, to all members that wait in `confirmations`."""
        await self._await(self._here.messages().confirm(name))

    async def confirmations(self, count: int, name: str) -> list[MemberRef]:
        """Waits, without a limit, until `count` distinct members have confirmed `name` from now on. Returns them in that order.

        This subscribes the member to messages, even if it has no listener.
        """
        self._take_events()
        members: list[MemberRef] = await self._await(self._here.messages().confirmations(count, name))
        return members

    async def set_data(self, value: object) -> None:
        """Sets the `data` of this member in `members()`: what `json` can write, at most 4 KiB. Kept when a lease is lost."""
        await self._await(self._here.messages().set_data(value))

    @property
    def _here(self) -> _native.Master | _native.Worker:
        """The native member. Raises if it cannot be used here and now."""
        raise NotImplementedError

    def _await(self, call: Call) -> Waiting:
        """Waits for the value of a call."""
        raise NotImplementedError

    def _take_events(self) -> None:
        """Takes events from now on, so that messages do not pile up."""
        raise NotImplementedError
