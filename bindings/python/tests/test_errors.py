"""Every kind of error has its class; bad options are refused with one."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import libswarm
from libswarm import Master, SwarmError, SwarmInvalidArgument, Worker, _native, errors


def test_every_kind_has_its_class() -> None:
    kinds = _native.error_kinds()
    by_code = {getattr(libswarm, name).code: name for name in errors.__all__ if name != "SwarmError"}
    for number, name, retryable in kinds:
        cls = getattr(libswarm, by_code[number])
        assert issubclass(cls, SwarmError)
        assert cls.__name__.removeprefix("Swarm").upper() == name.replace("_", "")
        assert (cls.code, cls.kind, cls.retryable) == (number, name, retryable)
        assert cls.__doc__
    classes = set(by_code.values())
    assert classes | {"SwarmError"} == set(errors.__all__)
    assert len(by_code) == len(classes) == len(kinds) >= 30


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("SwarmInvalidArgument", ValueError),
        ("SwarmTooLarge", ValueError),
        ("SwarmUnavailable", ConnectionError),
        ("SwarmPermissionDenied", PermissionError),
        ("SwarmTimeout", TimeoutError),
        ("SwarmNotFound", LookupError),
    ],
)
def test_some_are_also_what_python_would_raise(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_errors_can_be_copied_and_pickled() -> None:
    error = errors.SwarmJobFailed("no luck", "poison")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(other), str(other), other.reason) == (errors.SwarmJobFailed, "no luck", "poison")


@pytest.mark.parametrize(
    "options",
    [
        {"url": "localhost"},
        {"url": "http://x"},
        {"lease": 0.999},
        {"lease": -1},
        {"lease": float("nan")},
        {"lease": float("inf")},
        {"lease": "soon"},
        {"timeout": 0.01},
        {"slots": 0},
        {"slots": -1},
        {"slots": 2**40},
        {"slots": 1.5},
        {"slots": "many"},
        {"port": 70_000},
        {"db": -1},
        {"prefix": "a{b}"},
        {"prefix": "x\n"},
        {"name": "lone \ud800"},
        {"eviction": "maybe"},
        {"rejoin": 1},
        {"sentinels": ["a:1", "b:2"]},
        {"nodes": []},
        {"tls_cert": "cert.pem"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_bad_options_are_refused_when_the_object_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument):
        Worker("options", **options)
    with pytest.raises(libswarm.SwarmInvalidArgument):
        Master("options", **options)


@pytest.mark.parametrize("cluster", ["", "a{b", "x\0", "x" * 257, "*" * 300, 7, None])
def test_bad_names_are_refused(cluster: Any) -> None:
    with pytest.raises((libswarm.SwarmInvalidArgument, libswarm.SwarmTooLarge)):
        Master(cluster)


def test_options_of_every_form_are_understood() -> None:
    Worker(
        "options", sentinels=["a:1", "b"], sentinel_master="main", lease=2, timeout=0.5, slots=None, rejoin=False, requeue="back"
    )
    Worker("options", nodes="a:1,b:2", max_payload=1024, window=10, eviction="warn", max_crashes=0, group="g", name="n")


def test_messages_say_what_to_do() -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=r"lease is 0\.5 s, it must be 1 s to 86,400 s"):
        Master("options", lease=0.5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"backoff": {"delay": -1}}, r"backoff\[\"delay\"\] is `-1`"),
        ({"backoff": {"type": "odd"}}, r"backoff\[\"type\"\]"),
        ({"backoff": {"jitter": 2}}, r"backoff\[\"jitter\"\]"),
        ({"backoff": {"max": "1"}}, r"backoff\[\"max\"\] is of type str"),
        ({"timeouts": {"run": 0}}, r"timeouts\[\"run\"\] is 0 s"),
        ({"timeouts": {"total": "1"}}, r"timeouts\[\"total\"\] is of type str"),
        ({"result_ttl": 0.5}, "result_ttl is 0.5 s, it must be 1 s to"),
    ],
)
def test_errors_name_options_of_jobs_as_they_are_written(master: Master, options: dict[str, Any], named: str) -> None:
    with pytest.raises(SwarmInvalidArgument, match=named):
        master.add_job(1, **options)
