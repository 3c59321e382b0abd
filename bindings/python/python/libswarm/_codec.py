"""JSON as it travels: compact, UTF-8, without NaN. Called from the native module, once per batch where it can be."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .errors import SwarmInvalidArgument
from .jobs import NewJob


class _NotInList(TypeError):
    """Bytes or a NewJob were met where JSON is being written."""


def _unknown(value: object) -> NoReturn:
    if isinstance(value, bytes | bytearray | memoryview):
        raise _NotInList("bytes can be a whole payload or result, but not a part of one; JSON has no bytes")
    if isinstance(value, NewJob):
        raise _NotInList("a NewJob can be one of many that are added, but neither a payload nor a part of one")
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_unknown)
# Lone surrogates have no UTF-8; escaped they survive, as in every language's JSON.
_ascii_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=_unknown)
_decoder = json.JSONDecoder(parse_constant=_no_constant)


def encode(value: object) -> str:
    """`value` as JSON text."""
    try:
        text = _encoder.encode(value)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                text = _ascii_encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise SwarmInvalidArgument(f"the value cannot be written as JSON: {error}") from error
    return text


def encode_list(values: list[object]) -> str | None:
    """All values as one JSON array; None if some of them are bytes, or jobs with options of their own."""
    try:
        return encode(values)
    except SwarmInvalidArgument as error:
        if isinstance(error.__cause__, _NotInList):
            return None
        raise


def decode(text: str) -> Any:
    """The value of a JSON text without space around it."""
    try:
        value, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise SwarmInvalidArgument(f"the bytes are not JSON that Python can read ({error}); they are in `body`") from error
    if end != len(text):
        raise SwarmInvalidArgument(f"the bytes are not JSON: there is more after position {end}")
    return value


def decode_body(body: bytes) -> Any:
    """The value of a JSON text as it was stored."""
    try:
        return decode(str(body, "utf-8").strip())
    except UnicodeDecodeError:
        raise SwarmInvalidArgument("the payload is not UTF-8; read `body`") from None
