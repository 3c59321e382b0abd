"""The wheel and the source archive of the Python package.

The module is compiled with the other libraries, because a build by maturin alone would compile most of them again. maturin
writes the metadata. auditwheel checks the platform tag against the symbols and libraries that the module needs, abi3audit the tag
of Python's stable ABI.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from elftools.elf.elffile import ELFFile  # type: ignore[import-not-found]
from targets import Target
from toolchain import ROOT, TOOLS, built

PYTHON = ROOT / "bindings" / "python"
_MATURIN = ROOT / ".venv" / "bin" / "maturin"


def wheel(target: Target, version: str, out: Path, documents: dict[str, str]) -> Path:
    """`documents` are texts of the metadata folder, by their path in it."""
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work) / "tree"
        shutil.copytree(PYTHON / "python" / "libswarm", tree / "libswarm", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        shutil.copy2(built(target) / "lib_native.so", tree / "libswarm" / "_native.abi3.so")
        scripts = tree / f"libswarm-{version}.data" / "scripts"
        scripts.mkdir(parents=True)
        shutil.copy2(built(target) / "swarm", scripts / "swarm")

        command: list[str | Path] = [
            _MATURIN,
            "pep517",
            "write-dist-info",
            "--metadata-directory",
            tree,
            "--interpreter",
            ROOT / ".venv" / "bin" / "python",
        ]
        subprocess.run(command, cwd=PYTHON, check=True, capture_output=True)
        information = tree / f"libswarm-{version}.dist-info"
        for name, text in documents.items():
            (information / name).parent.mkdir(parents=True, exist_ok=True)
            (information / name).write_text(text)
        description = information / "WHEEL"
        tags = "".join(f"Tag: cp311-abi3-{tag}\n" for tag in target.wheel)
        description.write_text(re.sub(r"(Tag: cp311-abi3-.*\n?)+", tags, description.read_text()))
        subprocess.run([TOOLS / "wheel", "pack", "--dest-dir", work, tree], check=True, capture_output=True)
        (found,) = Path(work).glob("*.whl")
        _audit(found, target)
        return Path(shutil.move(found, out / found.name))


def _audit(path: Path, target: Target) -> None:
    subprocess.run([TOOLS / "abi3audit", "--strict", "--summary", path], check=True, capture_output=True)
    if target.musl:
        # auditwheel knows only wheels of the C library that it runs with.
        needed = _needed(built(target) / "lib_native.so")
        if needed - {"libc.so"}:
            raise SystemExit(f"package: {path.name} needs {', '.join(sorted(needed))}, but may need only libc.so")
        return
    # The newest of the tags covers the others, which are older names of the same.
    shown = subprocess.run([TOOLS / "auditwheel", "show", path], check=True, capture_output=True, text=True).stdout
    found = re.search(r'following platform tag:\s*"([^"]+)"', shown)
    if found is None or not _older(found.group(1), target.wheel[0]):
        raise SystemExit(f"package: {path.name} is not what its tag says:\n{shown}")


def _needed(path: Path) -> set[str]:
    """The shared libraries that it needs."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".dynamic")
        return {tag.needed for tag in section.iter_tags("DT_NEEDED")}


def _older(found: str, wanted: str) -> bool:
    """Whether what runs with `wanted` runs with `found`: `manylinux_2_12_x86_64` for `manylinux_2_17_x86_64`."""

    def parts(tag: str) -> tuple[str, int, int, str]:
        match = re.fullmatch(r"(\w+?)_(\d+)_(\d+)_(\w+)", tag)
        return (match[1], int(match[2]), int(match[3]), match[4]) if match else ("", 0, 0, "")

    kind, major, minor, machine = parts(found)
    wanted_kind, wanted_major, wanted_minor, wanted_machine = parts(wanted)
    return (kind, machine) == (wanted_kind, wanted_machine) and (major, minor) <= (wanted_major, wanted_minor)


def source(version: str, out: Path) -> Path:
    subprocess.run([_MATURIN, "sdist", "--manifest-path", PYTHON / "Cargo.toml", "--out", out], check=True, capture_output=True)
    return out / f"libswarm-{version}.tar.gz"
