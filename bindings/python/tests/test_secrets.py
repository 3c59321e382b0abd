"""Passwords are in no text: neither of members, nor of errors. Errors name options and units as they are written in Python."""

import asyncio
import pickle
from typing import Any

import pytest

import libswarm
import libswarm.aio
from libswarm import Master, Worker

SECRET = "hunter2secret"
OPTIONS: list[dict[str, Any]] = [
    {"url": f"redis://ann:{SECRET}@localhost:1"},
    {"password": SECRET, "port": 1},
    {"sentinels": "a:1", "sentinel_master": "main", "sentinel_password": SECRET},
]


def _texts(member: object) -> str:
    texts = [repr(member), str(member), repr(getattr(member, "__dict__", {}))]
    texts += [repr(value) for value in getattr(member, "__dict__", {}).values()]
    try:
        texts.append(repr(pickle.dumps(member)))
    except Exception as error:
        texts.append(str(error))
    return "\n".join(texts)


@pytest.mark.parametrize("options", OPTIONS, ids=["url", "password", "sentinel"])
@pytest.mark.parametrize("kind", [Master, Worker])
def test_members_show_no_password(kind: type[Any], options: dict[str, Any]) -> None:
    assert SECRET not in _texts(kind("secrets", **options))


@pytest.mark.parametrize("options", OPTIONS, ids=["url", "password", "sentinel"])
def test_members_of_asyncio_show_no_password(options: dict[str, Any]) -> None:
    async def texts() -> str:
        return _texts(libswarm.aio.Worker("secrets", **options)) + _texts(libswarm.aio.Master("secrets", **options))

    assert SECRET not in asyncio.run(texts())


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}",
        f"redis://localhost?password={SECRET}",
        f"redis://localhost/0?password={SECRET}",
        f"unix:///s?pass=a&{SECRET}",
        f"redis://a#{SECRET}",
        f"{SECRET}://a",
        SECRET,
    ],
)
def test_urls_that_are_not_understood_are_not_shown(url: str) -> None:
    for kind in (Master, Worker):
        with pytest.raises(libswarm.SwarmInvalidArgument) as raised:
            kind("secrets", url=url)
        assert SECRET not in str(raised.value) + repr(raised.value)
        assert "redis://user:password@host" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"failed_ttl": 0.5}, "failed_ttl is 0.5 s, it must be 1 s to 315,360,000 s (10 years)"),
        ({"lease": -1}, "lease is `-1`, it must be a number of seconds, 0 or more"),
        ({"slots": 0}, "slots is `0`, it must be a whole number from 1 to 4,294,967,295"),
        ({"pasword": "x"}, "unknown option `pasword`; did you mean `password`? The README of the package libswarm lists them"),
        ({"colour": "red"}, "unknown option `colour`; the README of the package libswarm lists them"),
        ({"slots": 4, "priority_slots": {1: 8}}, "priority_slots guarantees 8 slots, but the worker has 4"),
    ],
)
def test_errors_name_options_with_bounds_and_unit(options: dict[str, Any], text: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument) as raised:
        Worker("secrets", **options)
    assert text in str(raised.value)
