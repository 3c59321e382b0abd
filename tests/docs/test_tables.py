"""The tables of options, errors, health and counts list what the code has, with its bounds."""

import dataclasses
import inspect
import re
from collections.abc import Iterator

import pytest
from libswarm import Health, Master, ScheduleInfo, Stats, SwarmError, SwarmInvalidArgument, Worker, errors
from libswarm._options import ConnectionOptions, ProgramOptions, SupervisorOptions, WorkerOptions
from libswarm.jobs import JobOptions
from pages import ROOT, parsed
from swarm_support import Redis

OPTIONS = parsed(ROOT / "docs" / "reference" / "options.md")
ERRORS = parsed(ROOT / "docs" / "reference" / "errors.md")
OPERATIONS = parsed(ROOT / "docs" / "guides" / "operations.md")
SCHEDULES = parsed(ROOT / "docs" / "guides" / "schedules.md")

#: Options that only Node has.
NODE = {"client", "handleSignals", "serialize", "parse"}
#: Options that are arguments of `spawn` in Python.
ARGUMENTS = {"command", "arg"}
#: Options that have another name in Python and Node than in Rust and C.
RENAMED = {"dir"}

#: In the units of Python: seconds and bytes.
UNITS = {"": 1, "ms": 0.001, "s": 1, "h": 3600, "day": 86_400, "days": 86_400, "years": 365 * 86_400}
UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_BOUNDS = re.compile(r"([\d.,]+) ?(\w*) to ([\d.,]+) ?(\w*)")


def quoted(cells: list[str]) -> set[str]:
    """The names in backticks."""
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def options(section: str) -> set[str]:
    return quoted(OPTIONS.table(section).column("option"))


def test_every_option_is_listed() -> None:
    connection = set(ConnectionOptions.__annotations__)
    assert options("Connection") | options("Masters and workers") == connection | {"client", "serialize", "parse"}
    assert options("Workers") == set(WorkerOptions.__annotations__) - connection | {"handleSignals"}
    assert options("Jobs") == set(JobOptions.__annotations__)
    assert options("Supervisors") == set(SupervisorOptions.__annotations__)
    assert options("Supervised programs") == set(ProgramOptions.__annotations__) | ARGUMENTS | RENAMED


def test_every_option_of_node_is_listed() -> None:
    source = (ROOT / "bindings" / "node" / "types" / "options.d.ts").read_text("utf-8")
    for kind, sections in (
        ("MemberOptions", ("Connection", "Masters and workers")),
        ("WorkerOptions", ("Workers",)),
        ("JobOptions", ("Jobs",)),
    ):
        body = re.search(rf"^export interface {kind}\b.*?\{{\n(.*?)^\}}", source, re.MULTILINE | re.DOTALL)
        assert body is not None
        names = {
            re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
            for name in re.findall(r"^  (\w+)\?:", body[1], re.MULTILINE)
        }
        listed = {
            re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name) for section in sections for name in options(section)
        }
        assert names - {"expire_delay"} == listed, kind


def test_every_option_of_schedules_is_listed() -> None:
    parameters = inspect.signature(Master.schedule).parameters.values()
    names = {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}
    source = (ROOT / "bindings" / "node" / "types" / "schedules.d.ts").read_text("utf-8")
    body = re.search(r"^export interface ScheduleOptions \{\n(.*?)^\}", source, re.MULTILINE | re.DOTALL)
    assert body is not None
    of_node = re.findall(r"^  (\w+)\?:", body[1], re.MULTILINE)
    assert {re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name) for name in of_node} == names
    for table in (OPTIONS.table("Schedules"), SCHEDULES.table("Options")):
        assert quoted(table.column("option")) == names


def test_the_fields_of_a_schedule_are_listed() -> None:
    table = next(table for table in SCHEDULES.tables if table.header[0] == "field")
    fields = {field.name for field in dataclasses.fields(ScheduleInfo)}
    assert quoted(table.column("field")) == fields - options("Schedules") - {"id"}


def bounded(*sections: str) -> Iterator[tuple[str, float, float]]:
    """Options whose bounds are two numbers."""
    for section in sections:
        table = OPTIONS.table(section)
        for name, bounds in zip(table.column("option"), table.column("bounds"), strict=True):
            found = _BOUNDS.fullmatch(bounds.split("; ")[0])
            if found is not None:
                least, of_least, most, of_most = found.groups()
                low, high = (float(number.replace(",", "")) for number in (least, most))
                yield name.strip("`"), low * UNITS[of_least or of_most], high * UNITS[of_most]


def accepts(name: str, value: float) -> bool:
    """Whether a worker can be made with this value of an option."""
    integral = "int" in str(WorkerOptions.__annotations__[name])
    try:
        Worker("docs", **{name: int(value) if integral else value})  # type: ignore[arg-type]
    except SwarmInvalidArgument:
        return False
    return True


@pytest.mark.parametrize(("name", "low", "high"), list(bounded("Masters and workers", "Workers")))
def test_the_bounds_of_members_are_those_of_the_core(name: str, low: float, high: float) -> None:
    assert accepts(name, low)
    assert accepts(name, high)
    assert not accepts(name, low - (1 if low in (0, 1) or low > 1000 else 0.001))
    assert not accepts(name, high + 1)


def test_the_bounds_of_schedules_are_those_of_the_core() -> None:
    with Redis() as server, Master("docs", url=server.url) as master:
        for name, low, high in bounded("Schedules"):
            assert name in {"every", "after_end", "jitter"}
            timing = {} if name != "jitter" else {"every": 100}
            for value in (low, high):
                master.schedule("docs", **timing, **{name: value})  # type: ignore[arg-type]
            for value in (low - 0.001, high + 1):
                with pytest.raises(SwarmInvalidArgument, match=name):
                    master.schedule("docs", **timing, **{name: value})  # type: ignore[arg-type]


def test_every_error_is_listed_with_its_number() -> None:
    table = ERRORS.table("Errors")
    listed = list(zip(table.column("number"), table.column("name"), table.column("retryable"), strict=True))
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SwarmError) and each.code]
    known = {(str(each.code), each.kind, "yes" if each.retryable else "") for each in classes if "code" in vars(each)}
    assert set(listed) == known
    assert [int(number) for number, _, _ in listed] == list(range(1, len(listed) + 1))
    header = (ROOT / "include" / "swarm.h").read_text("utf-8")
    assert {(number, name) for number, name, _ in listed} == {
        (number, name) for name, number in re.findall(r"SWARM_ERR_(\w+) = (\d+)", header)
    }


def test_the_fields_of_health_and_counts_are_listed() -> None:
    tables = [table for table in OPERATIONS.tables if table.section == "Monitoring"]
    health, counts = (quoted(table.column("field")) for table in tables)
    assert health - {"leaseLeft"} == {field.name for field in dataclasses.fields(Health)}
    assert counts == {field.name for field in dataclasses.fields(Stats)}
