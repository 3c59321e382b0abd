"""Every code block of the documentation runs, or compiles where its comment says why it does not run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import CODE, Block, pages, parsed
from programs import Program, at, check_types, compile_c, compile_rust, programs, run
from swarm_support import Redis

BLOCKS = [block for page in pages() for block in parsed(page).blocks]
PROGRAMS = programs()


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with Redis() as running:
        yield running


@pytest.fixture(scope="module")
def rust(request: pytest.FixtureRequest, server: Redis, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The Rust blocks of the tests that were selected, compiled together."""
    wanted = []
    for item in request.session.items:
        program = item.callspec.params.get("program") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        if isinstance(program, Program) and program.first.language == "rust":
            wanted.append(program)
    compile_rust(wanted, server, tmp_path_factory.mktemp("rust"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_block_has_a_language_and_a_comment_that_is_understood(block: Block) -> None:
    assert not block.problems, f"{block.where}: {'; '.join(block.problems)}"


def test_a_block_continues_one_of_its_language() -> None:
    starts = {id(program.first) for program in PROGRAMS}
    lost = [block.where for block in BLOCKS if block.continues and id(block) in starts and block.language in CODE]
    assert not lost


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_the_code_runs(program: Program, server: Redis, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    language, why = program.first.language, program.first.compile_only
    if language == "rust":
        request.getfixturevalue("rust")
    if language == "ts":
        check_types(program.code, tmp_path)
    elif not why:
        server.command("FLUSHALL")
        run(program, server, tmp_path)
    elif language == "c":
        compile_c(at(server, program.code), tmp_path)
    else:
        assert language == "rust", f"{program.name}: a block of {language} is not compiled; say `not-run` and why"
