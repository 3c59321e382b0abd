#!/usr/bin/env python3
"""The version of everything: `version` of the workspace in Cargo.toml.

`version.py` prints it. `version.py --check` fails with a line for each file that has another one. `version.py --set 0.2.0`
writes it everywhere. pyproject.toml takes it from cargo; libswarm.pc, the files of CMake and the manual pages take it from the
header and the program that are built.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_SOURCE = ("Cargo.toml", r'(?m)(?<=^\[workspace\.package\]\nversion = ")[^"]+')
#: Files that must have a literal version, and where.
_COPIES = [
    ("bindings/node/package.json", r'(?m)(?<=^  "version": ")[^"]+'),
    ("bindings/node/package-lock.json", r'(?m)(?<=^  "version": ")[^"]+'),
    ("bindings/node/package-lock.json", r'(?m)(?<=^      "name": "assemblage",\n      "version": ")[^"]+'),
    ("include/swarm.h", r'(?m)(?<=^#define SWARM_VERSION ")[^"]+'),
]


def _found(place: tuple[str, str]) -> str:
    match = re.search(place[1], (ROOT / place[0]).read_text())
    if match is None:
        raise SystemExit(f"version: {place[0]} has no version where it should be")
    return match.group()


def version() -> str:
    return _found(_SOURCE)


def disagreements() -> list[str]:
    result = [
        f"{place[0]} has version {_found(place)}, Cargo.toml {version()}" for place in _COPIES if _found(place) != version()
    ]
    lock = (ROOT / "Cargo.lock").read_text()
    result += [
        f"Cargo.lock has {name} {found}, Cargo.toml {version()}"
        for name, found in re.findall(r'name = "([a-z-]+)"\nversion = "([^"]+)"\n(?!source)', lock)
        if found != version()
    ]
    for manifest in sorted(ROOT.glob("*/Cargo.toml")) + sorted(ROOT.glob("*/*/Cargo.toml")):
        if "target" not in manifest.parts and re.search(r'(?m)^version = "', manifest.read_text()):
            result.append(f"{manifest.relative_to(ROOT)} has a version of its own; write: version.workspace = true")
    return result


def set_version(new: str) -> None:
    if not re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", new):
        raise SystemExit(f"version: {new} is no version such as 0.2.0 or 0.2.0-rc.1")
    lock = ROOT / "Cargo.lock"
    old = re.escape(version())
    lock.write_text(re.sub(rf'(name = "[a-z-]+"\nversion = "){old}(?="\n(?!source))', rf"\g<1>{new}", lock.read_text()))
    for path, pattern in [_SOURCE, *_COPIES]:
        file = ROOT / path
        file.write_text(re.sub(pattern, new, file.read_text(), count=1))
    print(f"version {new}; run `make header`, which also writes the numbers of the header")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            print(version())
        case ["--check"]:
            wrong = disagreements()
            for line in wrong:
                print(f"version: {line}", file=sys.stderr)
            sys.exit(1 if wrong else 0)
        case ["--set", new]:
            set_version(new)
        case _:
            sys.exit("usage: version.py [--check | --set VERSION]")
