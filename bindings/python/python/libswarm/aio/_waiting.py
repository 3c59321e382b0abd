"""The return types of methods that wait for Redis: futures of the event loop."""

from __future__ import annotations

import asyncio
from typing import Any

from ..types import Receipt

#: The value of a call.
Waiting = asyncio.Future[Any]
#: The outcome of a message. A future and not a coroutine: messages are sent in the order of the calls, awaited or not.
SentMessage = asyncio.Future[Receipt]
