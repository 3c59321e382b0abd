"""Programs made of the code blocks of a page, and how each language runs them."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pages import CODE, ROOT, Block, name_of, pages, parsed
from swarm_support import Redis

SETUPS = Path(__file__).parent / "setups"
ARCHIVE = ROOT / "target" / "release" / "libswarm.a"
SWARM = ROOT / "target" / "release" / "swarm"
RUST = ROOT / "target" / "debug" / "documented"
# A program that takes longer has hung.
_END_S = 40.0

_SUFFIX = {"c": ".c", "js": ".js", "python": ".py", "rust": ".rs", "sh": ".sh", "ts": ".ts"}
_COMMENT = {"c": "/* BLOCK */", "js": "// BLOCK", "python": "# BLOCK", "rust": "// BLOCK", "sh": "# BLOCK", "ts": "// BLOCK"}
# Blocks show more than they use.
_WARNINGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused"]


@dataclass(frozen=True)
class Program:
    """One block, and those that continue it."""

    blocks: tuple[Block, ...]

    @property
    def first(self) -> Block:
        return self.blocks[0]

    @property
    def name(self) -> str:
        """Its page and line, and of Rust its function."""
        return self.first.where

    @property
    def function(self) -> str:
        path = name_of(self.first.page).removesuffix(".md")
        return "".join(letter if letter.isalnum() else "_" for letter in f"{path}_{self.first.line}".lower())

    @property
    def code(self) -> str:
        """The blocks inside their set-up: the file that the first one names, or `default` of the language if there is one."""
        code = "\n".join(block.code for block in self.blocks)
        language = self.first.language
        file = SETUPS / f"{self.first.setup or 'default'}{_SUFFIX[language]}"
        if not self.first.setup and (not file.exists() or "int main(" in code):
            return code
        around = file.read_text("utf-8").splitlines()
        if language == "c":
            functions, code = _functions_apart(code)
            around = [functions if line.strip() == "/* FUNCTIONS */" else line for line in around]
        at = [line.strip() for line in around].index(_COMMENT[language])
        return "\n".join([*around[:at], code, *around[at + 1 :], ""])


def _functions_apart(code: str) -> tuple[str, str]:
    """The functions of a C block, and its statements, which belong into a function."""
    functions: list[str] = []
    statements: list[str] = []
    inside = False
    for line in code.splitlines():
        inside = inside or line.startswith("static ")
        (functions if inside else statements).append(line)
        inside = inside and line != "}"
    return "\n".join(functions), "\n".join(statements)


def programs() -> list[Program]:
    """Those of every page, of blocks that are run or compiled."""
    found: list[list[Block]] = []
    for page in pages():
        latest: dict[str, list[Block]] = {}
        for block in parsed(page).blocks:
            if block.language not in CODE or block.not_run or block.file:
                continue
            if not (block.continues and block.language in latest):
                latest[block.language] = []
                found.append(latest[block.language])
            latest[block.language].append(block)
    return [Program(tuple(blocks)) for blocks in found]


def compile_c(code: str, folder: Path) -> Path:
    """The program as a user builds it, with all warnings being errors."""
    source, program = folder / "program.c", folder / "program"
    source.write_text(code, "utf-8")
    _must(["cc", *_WARNINGS, "-g", f"-I{ROOT / 'include'}", source, ARCHIVE, "-pthread", "-ldl", "-lm", "-o", program], folder)
    return program


def make_package(code: str, folder: Path) -> None:
    """A package in which `assemblage` and OpenTelemetry are installed, whose programs are of the kind of this one."""
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "assemblage").symlink_to(ROOT / "bindings" / "node")
    (folder / "node_modules" / "@opentelemetry").symlink_to(ROOT / "bindings" / "node" / "node_modules" / "@opentelemetry")
    kind = "module" if "\nimport " in f"\n{code}" else "commonjs"
    (folder / "package.json").write_text(f'{{ "type": "{kind}" }}', "utf-8")


def check_types(code: str, folder: Path) -> None:
    """The program by the compiler of TypeScript, strictly."""
    make_package(code, folder)
    (folder / "program.ts").write_text(code, "utf-8")
    tsc = ROOT / "bindings" / "node" / "node_modules" / ".bin" / "tsc"
    types = ROOT / "bindings" / "node" / "node_modules" / "@types"
    options: list[str | Path] = [
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "nodenext",
        "--types",
        "node",
        "--typeRoots",
        types,
    ]
    _must([tsc, *options, "program.ts"], folder)


def compile_rust(all_programs: list[Program], server: Redis, folder: Path) -> None:
    """All of them in one program, whose argument is the function to run."""
    modules = [f"pub mod {each.function} {{\n{at(server, each.code)}\n}}" for each in all_programs]
    arms = [f'"{each.function}" => {each.function}::run().await,' for each in all_programs]
    choice = 'async fn run(name: &str) -> Ended {\nmatch name {\n%s\n_ => panic!("no block {name}"),\n}\n}'
    source = folder / "blocks.rs"
    source.write_text("\n".join([*modules, choice % "\n".join(arms), ""]), "utf-8")
    command = ["cargo", "build", "--quiet", "--package", "documented"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "DOCUMENTED_BLOCKS": str(source)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _must(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_END_S)
    assert done.returncode == 0, done.stdout + done.stderr


def at(server: Redis, code: str) -> str:
    """The code with the address of this server in place of that of the examples."""
    return code.replace("redis://localhost:6379", server.url).replace(
        'host: "localhost", port: 6379', f'host: "127.0.0.1", port: {server.port}'
    )


def command_of(program: Program, server: Redis, folder: Path) -> list[str]:
    """Writes or compiles the program and answers the command that runs it."""
    code = at(server, program.code)
    match program.first.language:
        case "python":
            (folder / "program.py").write_text(code, "utf-8")
            return [sys.executable, "program.py"]
        case "js":
            make_package(code, folder)
            (folder / "program.js").write_text(code, "utf-8")
            return ["node", "program.js"]
        case "c":
            return [str(compile_c(code, folder))]
        case "rust":
            return [str(RUST), program.function]
        case "sh":
            # The examples name no server, as on a machine where Redis has its usual port.
            cli = folder / "redis-cli"
            cli.write_text(f'#!/bin/sh\nexec {shutil.which("redis-cli")} -e -u {server.url} "$@"\n', "utf-8")
            cli.chmod(0o755)
            (folder / "swarm").symlink_to(SWARM)
            return ["bash", "-euc", f'PATH="{folder}:$PATH"\n{code}']
        case language:
            raise AssertionError(f"blocks of {language} are not run")


def run(program: Program, server: Redis, folder: Path) -> None:
    """Runs it to its end, and checks what it printed."""
    command = command_of(program, server, folder)
    child = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "SWARM_REDIS_URL": server.url, "NODE_NO_WARNINGS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("wb"),
        text=True,
    )
    hung = threading.Timer(_END_S, child.kill)
    hung.start()
    try:
        printed = "".join(_interrupted(child, [block.interrupt_after for block in program.blocks]))
        code = child.wait()
    finally:
        hung.cancel()
        child.kill()
    logged = (folder / "stderr").read_text("utf-8", "replace")
    # A program may handle the signal.
    ends = (0, -signal.SIGINT) if any(block.interrupt_after for block in program.blocks) else (0,)
    assert code in ends, f"{program.name} ended with {code}:\n{printed}\n{logged}"
    for block in program.blocks:
        for text in block.prints:
            assert text in printed, f"{block.where} does not print {text!r}:\n{printed}\n{logged}"
        for text in block.logs:
            assert text in logged, f"{block.where} does not log {text!r}:\n{logged}"
    quiet = program.first.language != "sh" and not any(block.logs for block in program.blocks)
    assert not (quiet and logged), f"{program.name} wrote to stderr:\n{logged}"


def _interrupted(child: "subprocess.Popen[str]", after: list[str]) -> Iterator[str]:
    """The lines that the program prints. It gets a SIGINT after the line that is waited for."""
    assert child.stdout is not None
    wanted = {text for text in after if text}
    for line in child.stdout:
        yield line
        if any(text in line for text in wanted):
            wanted.clear()
            child.send_signal(signal.SIGINT)
