"""Writes the methods for threads, `libswarm/_api`, from those for asyncio, `libswarm/aio/_api`, by `unasync`.

With `--check` nothing is written: it fails if a file is not what would be written.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

HERE = Path(__file__).parent
SOURCE = HERE / "python/libswarm/aio/_api"
TARGET = HERE / "python/libswarm/_api"
HEADER = "# Generated from libswarm/aio/_api/{} by generate_sync.py: do not edit.\n"


def ruff(command: list[str], path: Path, text: str) -> str:
    """The text as ruff writes it, with the settings for the file."""
    arguments = [str(Path(sys.executable).with_name("ruff")), *command, "--quiet", "--stdin-filename", str(path), "-"]
    return subprocess.run(arguments, cwd=HERE, input=text, capture_output=True, text=True, check=True).stdout


def generate() -> dict[Path, str]:
    """The text of each file."""
    sources = sorted(SOURCE.glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        unasync.unasync_files([str(path) for path in sources], [unasync.Rule(str(SOURCE), folder)])
        written = {path.name: (Path(folder) / path.name).read_text() for path in sources}
    files = {}
    for name, text in written.items():
        text = ruff(["check", "--fix", "--select", "I"], TARGET / name, text)
        files[TARGET / name] = HEADER.format(name) + ruff(["format"], TARGET / name, text)
    return files


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
