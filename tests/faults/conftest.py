"""A private server for each fault, and at the end one line for each fault: what was done, and what was measured."""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from at_once import Played
from evidence import PROPERTY, Evidence, summed
from swarm_support import Redis

_FILE = re.compile(r"test_(\d+)_\w+\.py")
# The name of the user property with the number of a test's fault and the text at the start of its line in the summary.
_LINE = "line"


@pytest.fixture
def server() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture(scope="module")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The scenarios of the file's `LANES`, those that were selected, each by the `name` of its test."""
    chosen = {
        str(item.callspec.params["name"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path and "played" in item.fixturenames
    }
    playing = Played(request.module.LANES, chosen, tmp_path_factory.mktemp(request.path.stem))
    yield playing
    playing.close()


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    return Evidence(request.node.user_properties)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Notes which fault each test is about, and how its line begins."""
    for item in items:
        found = _FILE.fullmatch(item.path.name)
        mark = item.get_closest_marker("fault")
        if mark is not None:
            item.user_properties.append((_LINE, (int(mark.args[0]), str(mark.args[1]))))
        elif found and isinstance(item, pytest.Function):
            text = " ".join((item.module.__doc__ or "").split())
            # The first sentence of the file, without `Fault 1: `.
            item.user_properties.append((_LINE, (int(found[1]), text.split(": ", 1)[-1].split(". ", 1)[0].rstrip("."))))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tests: dict[tuple[int, str], dict[str, pytest.TestReport]] = defaultdict(dict)
    spent: dict[tuple[int, str], float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            line = dict(report.user_properties).get(_LINE) if isinstance(report, pytest.TestReport) else None
            if not isinstance(line, tuple):
                continue
            spent[line] += report.duration
            before = tests[line].get(report.nodeid)
            if before is None or report.when == "call" or report.outcome == "failed":
                tests[line][report.nodeid] = report
    if not tests:
        return
    terminalreporter.section("faults", sep="-")
    for line, reports_of in sorted(tests.items()):
        number, done = line
        failed = sum(report.outcome == "failed" for report in reports_of.values())
        verdict = f"{failed} of {len(reports_of)} FAILED" if failed else f"{len(reports_of)} passed"
        measured = summed(value for report in reports_of.values() for name, value in report.user_properties if name == PROPERTY)
        terminalreporter.write_line(f"fault {number:2}  {verdict}  {spent[line]:5.1f} s  {done}: {measured or 'no figures'}")
