"""Values that JSON does not have: how they are written into payloads and results, and how they are read again."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import functools
import types
import typing
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import SwarmInvalidArgument

T = TypeVar("T")

_readers: dict[type, Callable[[Any], object]] = {}


@functools.singledispatch
def to_json(value: object) -> object:
    """Returns what is written instead of a value that JSON does not have, in payloads, results, messages and progress.

    Dataclasses and pydantic models are written as objects; datetime, date and time in ISO 8601; UUID and Decimal
    as text; an Enum as its value. What it returns may contain such values again. A set is refused, because it has no order.

    Register a function for a class of your own, before the first payload of that class:

    ```python
    @libswarm.to_json.register
    def _(money: Money) -> object:
        return {"amount": str(money.amount), "currency": money.currency}
    ```

    Raises TypeError for a class that nothing is registered for.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    model_dump = getattr(type(value), "model_dump", None)
    if callable(model_dump):
        return model_dump(value, mode="json")
    raise TypeError(
        f"a {type(value).__name__} cannot be written as JSON; register a function for it with libswarm.to_json.register"
    )


@to_json.register(datetime.date)
@to_json.register(datetime.time)
def _(value: datetime.date | datetime.time) -> object:
    return value.isoformat()


@to_json.register(uuid.UUID)
@to_json.register(decimal.Decimal)
def _(value: object) -> object:
    return str(value)


@to_json.register(enum.Enum)
def _(value: enum.Enum) -> object:
    return value.value


def register_reader(kind: type[T], reader: Callable[[Any], T]) -> None:
    """Sets how `from_json` reads a class of your own: `reader` gets the value that `json` has read."""
    _readers[kind] = reader


def from_json(kind: type[T], value: Any) -> T:
    """Returns a value that `json` has read, such as `job.payload`, as `kind`: what `to_json` wrote is read again.

    `kind` is a dataclass, pydantic model, TypedDict, Enum, datetime, date, time, UUID, Decimal, a class with a
    registered reader, a type of JSON, or list, set, frozenset, tuple, dict, Optional, Union or Literal of these. Fields without a
    value get their defaults. Fields that the class does not have are ignored, so that a newer program may add some.

    Raises SwarmInvalidArgument, whose message names the field.
    """
    read: T = _read(kind, value, "the value")
    return read


def _refused(kind: Any, value: object, path: str) -> SwarmInvalidArgument:
    shown = repr(value)
    name = getattr(kind, "__name__", str(kind))
    return SwarmInvalidArgument(f"{path} is {shown[:60]}{'…' if len(shown) > 60 else ''}, it must be a {name}")


def _read(kind: Any, value: Any, path: str) -> Any:
    if kind is Any or kind is object:
        return value
    if kind is None or kind is type(None):
        if value is None:
            return None
        raise _refused(None, value, path)
    origin = typing.get_origin(kind)
    if origin is not None:
        return _read_generic(kind, origin, typing.get_args(kind), value, path)
    if kind in _readers or kind in _TEXTS or hasattr(kind, "model_validate") or isinstance(kind, enum.EnumType):
        try:
            return _reader_of(kind)(value)
        except SwarmInvalidArgument:
            raise
        except Exception as error:
            raise _refused(kind, value, path) from error
    if dataclasses.is_dataclass(kind) or typing.is_typeddict(kind):
        return _read_object(kind, value, path)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise _refused(kind, value, path)
    return value


def _text(reader: Callable[[str], object]) -> Callable[[Any], object]:
    def read(value: Any) -> object:
        if not isinstance(value, str):
            raise TypeError("it is no text")
        return reader(value)

    return read


def _decimal(value: Any) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("it is neither text nor a number")
    return decimal.Decimal(str(value))


_TEXTS: dict[Any, Callable[[Any], object]] = {
    datetime.datetime: _text(datetime.datetime.fromisoformat),
    datetime.date: _text(datetime.date.fromisoformat),
    datetime.time: _text(datetime.time.fromisoformat),
    uuid.UUID: _text(uuid.UUID),
    decimal.Decimal: _decimal,
}


def _reader_of(kind: Any) -> Callable[[Any], object]:
    reader = _readers.get(kind) or _TEXTS.get(kind) or getattr(kind, "model_validate", None) or kind
    return typing.cast("Callable[[Any], object]", reader)


def _read_generic(kind: Any, origin: Any, arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if origin is typing.Annotated:
        return _read(arguments[0], value, path)
    if origin is typing.Literal:
        if value not in arguments:
            raise SwarmInvalidArgument(f"{path} is {value!r}, it must be one of {', '.join(map(repr, arguments))}")
        return value
    if origin in (typing.Union, types.UnionType):
        return _read_union(kind, arguments, value, path)
    if origin in (list, set, frozenset, tuple):
        return _read_list(kind, origin, arguments, value, path)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _refused(kind, value, path)
        return {
            _read(arguments[0], name, f"a name in {path}"): _read(arguments[1], one, f"{path}[{name!r}]")
            for name, one in value.items()
        }
    if typing.is_typeddict(origin) or origin in (typing.Required, typing.NotRequired):
        return _read(arguments[0] if origin in (typing.Required, typing.NotRequired) else origin, value, path)
    return _read(origin, value, path)


def _read_union(kind: Any, arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    wanted = [argument for argument in arguments if argument is not type(None)]
    for number, argument in enumerate(wanted):
        try:
            return _read(argument, value, path)
        except SwarmInvalidArgument:
            # The error of a single alternative names the place.
            if len(wanted) == 1 and number == 0:
                raise
    raise _refused(kind, value, path)


def _read_list(kind: Any, origin: Any, arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if not isinstance(value, list):
        raise _refused(kind, value, path)
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            raise SwarmInvalidArgument(f"{path} has {len(value)} elements, it must have {len(arguments)}")
        return tuple(
            _read(argument, one, f"{path}[{at}]") for at, (argument, one) in enumerate(zip(arguments, value, strict=True))
        )
    return origin(_read(arguments[0], one, f"{path}[{at}]") for at, one in enumerate(value))


def _read_object(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise _refused(kind, value, path)
    hints = typing.get_type_hints(kind, include_extras=True)
    if typing.is_typeddict(kind):
        # `__required_keys__` does not know `NotRequired` in annotations that are texts.
        names = list(hints)
        needed = {name for name in names if _is_required(hints[name], kind.__total__)}
    else:
        fields = [field for field in dataclasses.fields(kind) if field.init]
        names = [field.name for field in fields]
        needed = {field.name for field in fields if _has_no_default(field)}
    missing = [name for name in names if name in needed and name not in value]
    if missing:
        raise SwarmInvalidArgument(f"{path} has no `{missing[0]}`, which a {kind.__name__} needs")
    start = "" if path == "the value" else f"{path}."
    found = {name: _read(hints.get(name, Any), value[name], start + name) for name in names if name in value}
    return found if typing.is_typeddict(kind) else kind(**found)


def _is_required(hint: Any, total: bool) -> bool:
    origin = typing.get_origin(hint)
    return origin is typing.Required or (total and origin is not typing.NotRequired)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
