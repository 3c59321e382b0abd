"""The return types of methods that wait for Redis: the values, because threads block for them."""

from __future__ import annotations

from typing import Any

from .types import Receipt

#: The value of a call.
Waiting = Any
#: The outcome of a message.
SentMessage = Receipt
