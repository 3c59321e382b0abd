"""Writes the methods for threads, `libswarm/_api`, and `libswarm/app.py` from those for asyncio, in `libswarm/aio`, by `unasync`.

With `--check` nothing is written: it fails if a file is not what would be written.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

HERE = Path(__file__).parent
PACKAGE = HERE / "python/libswarm"
SOURCE = PACKAGE / "aio/_api"
TARGET = PACKAGE / "_api"
APP = PACKAGE / "aio/app.py"
HEADER = "# Generated from libswarm/aio/{} by generate_sync.py: do not edit.\n"


def ruff(command: list[str], path: Path, text: str) -> str:
    """The text as ruff writes it, with the settings for the file."""
    arguments = [str(Path(sys.executable).with_name("ruff")), *command, "--quiet", "--stdin-filename", str(path), "-"]
    return subprocess.run(arguments, cwd=HERE, input=text, capture_output=True, text=True, check=True).stdout


def generate() -> dict[Path, str]:
    """The text of each file."""
    files = {
        TARGET / path.name: finished(path, TARGET / path.name, text)
        for path, text in unasynced(SOURCE, sorted(SOURCE.glob("*.py")))
    }
    for path, text in unasynced(APP.parent, [APP]):
        # It is one package higher, its functions are not awaited, and examples in its texts are no tokens.
        for found, instead in (
            (r"\bfrom \.\.", "from ."),
            (r"\bAwaitable\[(\w+)\]", r"\1"),
            (r"\bawait ", ""),
            (r"\basync def", "def"),
        ):
            text = re.sub(found, instead, text)
        files[PACKAGE / path.name] = finished(path, PACKAGE / path.name, text)
    return files


def unasynced(folder: Path, sources: list[Path]) -> list[tuple[Path, str]]:
    """Each file with its text for threads."""
    with tempfile.TemporaryDirectory() as target:
        unasync.unasync_files([str(path) for path in sources], [unasync.Rule(str(folder), target)])
        return [(path, (Path(target) / path.name).read_text()) for path in sources]


def finished(source: Path, target: Path, text: str) -> str:
    """The text in the order and format of ruff, below the line that names its source."""
    text = ruff(["check", "--fix", "--select", "I,F401"], target, text)
    return HEADER.format(source.relative_to(PACKAGE / "aio")) + ruff(["format"], target, text)


def main() -> int:
    files = generate()
    stale = [path for path in TARGET.glob("*.py") if path not in files]
    changed = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in (*changed, *stale):
            print(f"{path.relative_to(HERE)} differs from its source: run `make python-sync`", file=sys.stderr)
        return 1 if changed or stale else 0
    for path in stale:
        path.unlink()
    for path in changed:
        path.write_text(files[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
