"""Values that JSON does not have, from their class to payloads and back."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import queue
import uuid
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

import pytest

import libswarm
from conftest import SOON
from libswarm import Job, Master, Worker, from_json, to_json


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Line:
    article: uuid.UUID
    price: Decimal
    colour: Colour | None = None


@dataclasses.dataclass(frozen=True)
class Order:
    number: int
    at: datetime.datetime
    lines: list[Line]
    due: datetime.date | None = None
    kind: Literal["new", "old"] = "new"
    weights: dict[str, float] = dataclasses.field(default_factory=dict)


class Address(TypedDict):
    street: str
    number: NotRequired[int]


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class Model:
    """As pydantic has them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def model_dump(self, *, mode: str) -> dict[str, str]:
        assert mode == "json"
        return {"name": self.name}

    @classmethod
    def model_validate(cls, value: Any) -> Model:
        return cls(value["name"])


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
ORDER = Order(
    7,
    datetime.datetime(2026, 11, 29, 18, 0, tzinfo=datetime.UTC),
    [Line(ID, Decimal("9.90"), Colour.RED), Line(ID, Decimal(1))],
    datetime.date(2026, 12, 24),
    weights={"kg": 1},
)
WRITTEN = {
    "number": 7,
    "at": "2026-11-29T18:00:00+00:00",
    "lines": [
        {"article": str(ID), "price": "9.90", "colour": "red"},
        {"article": str(ID), "price": "1", "colour": None},
    ],
    "due": "2026-12-24",
    "kind": "new",
    "weights": {"kg": 1},
}


def test_a_payload_and_a_result_may_have_values_of_classes(master: Master, cluster: str, url: str) -> None:
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    with Worker(cluster, url=url) as worker:
        worker.on("add", jobs.put)
        master.add_many([{"order": ORDER}])
        job = jobs.get(timeout=SOON)
        assert job.payload == {"order": WRITTEN}
        assert from_json(Order, job.payload["order"]) == ORDER
        job.complete()


def test_a_result_and_progress_may_have_values_of_classes(master: Master, cluster: str, url: str) -> None:
    def handle(job: Job) -> object:
        job.progress({"at": ORDER.at})
        job.checkpoint([ORDER])
        return {"line": ORDER.lines[1], "name": Model(from_json(Model, job.payload).name + "y")}

    worker = Worker(cluster, url=url)
    worker.process(handle)
    with worker:
        result = master.run(Model("x"), timeout=SOON)
        assert result == {"line": WRITTEN["lines"][1], "name": {"name": "xy"}}  # type: ignore[index]


def test_a_class_of_the_program_is_registered(master: Master) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=r"Money cannot be written as JSON; register"):
        master.add_job({"price": Money(5)})

    @to_json.register
    def _(money: Money) -> object:
        return {"cents": money.cents}

    libswarm.register_reader(Money, lambda value: Money(value["cents"]))
    id = master.add_job([Money(5)])
    info = master.job(id)
    assert info is not None
    assert info.payload == [{"cents": 5}]
    assert [one.cents for one in from_json(list[Money], info.payload)] == [5]
    with pytest.raises(libswarm.SwarmInvalidArgument, match=r"the value is \[\], it must be a Money"):
        from_json(Money, [])


@pytest.mark.parametrize(
    ("kind", "value", "part"),
    [
        (int, "1", "the value is '1', it must be a int"),
        (int, True, "it must be a int"),
        (datetime.datetime, "yesterday", "it must be a datetime"),
        (datetime.datetime, 5, "it must be a datetime"),
        (uuid.UUID, "no", "it must be a UUID"),
        (Colour, "blue", "it must be a Colour"),
        (Line, {"article": str(ID)}, "has no `price`, which a Line needs"),
        (Order, {**WRITTEN, "lines": [{"article": str(ID), "price": "x"}]}, r"lines\[0\].price is 'x', it must be a Decimal"),
        (Order, {**WRITTEN, "kind": "other"}, "kind is 'other', it must be one of 'new', 'old'"),
        (dict[str, int], {"a": "b"}, r"the value\['a'\] is 'b'"),
        (tuple[int, str], [1], "has 1 elements, it must have 2"),
        (int | str, [], "it must be a"),
        (Address, {"number": 1}, "has no `street`"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(kind: Any, value: Any, part: str) -> None:
    with pytest.raises(libswarm.SwarmInvalidArgument, match=part):
        from_json(kind, value)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (float, 1, 1.0),
        (int | str, "a", "a"),
        (tuple[int, ...], [1, 2], (1, 2)),
        (frozenset[int], [1], frozenset([1])),
        (Address, {"street": "s", "more": 1}, {"street": "s"}),
        (datetime.time, "12:30:00", datetime.time(12, 30)),
        (Decimal, 1, Decimal(1)),
        (dict[str, datetime.date], {"a": "2026-01-01"}, {"a": datetime.date(2026, 1, 1)}),
        (Any, [1], [1]),
    ],
)
def test_values_are_read_as_their_kind(kind: Any, value: Any, read: Any) -> None:
    assert from_json(kind, value) == read
