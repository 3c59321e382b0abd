#!/usr/bin/env python3
"""Builds what is published into target/package: build.py [TARGET...].

By default it builds for the targets with glibc whose Rust standard library is installed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from pathlib import Path

import c_archive
import crates
import npm
import wheels
from elftools.elf.elffile import ELFFile  # type: ignore[import-not-found]
from elftools.elf.gnuversions import GNUVerNeedSection  # type: ignore[import-not-found]
from targets import TARGETS, Target
from toolchain import ROOT, TARGET, built, compile_all, has_std

sys.path.insert(0, str(ROOT / "scripts"))
from version import version

#: The oldest glibc that everything runs with.
GLIBC = (2, 17)


def glibc_needed(path: Path) -> tuple[int, ...]:
    """The newest version of glibc's symbols that it uses."""
    found: list[tuple[int, ...]] = [(0,)]
    with path.open("rb") as file:
        for section in ELFFile(file).iter_sections():
            if isinstance(section, GNUVerNeedSection):
                names = [entry.name for _, entries in section.iter_versions() for entry in entries]
                found += [
                    tuple(map(int, name.removeprefix("GLIBC_").split(".")))
                    for name in names
                    if re.fullmatch(r"GLIBC_[0-9.]+", name)
                ]
    return max(found)


def check(target: Target) -> None:
    for name in ("libswarm.so", "liblibswarm_node.so", "lib_native.so", "swarm"):
        needed = glibc_needed(built(target) / name)
        if not target.musl and needed > GLIBC:
            found, allowed = (".".join(map(str, numbers)) for numbers in (needed, GLIBC))
            sys.exit(f"package: {target.name}: {name} needs glibc {found}, but may need at most {allowed}")


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        sys.exit(f"package: no target is named {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    targets = [TARGETS[name] for name in names] or [
        target for target in TARGETS.values() if target.by_default and has_std(target)
    ]
    for target in targets:
        if not has_std(target):
            sys.exit(f"package: {target.name} needs Rust's standard library: rustup target add {target.triple}")
    out = TARGET / "package"
    work = TARGET / "package-work"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    work.mkdir(exist_ok=True)

    shipped = crates.linked([target.triple for target in TARGETS.values()])
    third_party = crates.third_party(shipped)
    (out / "THIRD_PARTY.txt").write_text(third_party)
    materials = crates.bill_of_materials(shipped, version())
    (out / f"libswarm-{version()}.cdx.json").write_text(materials)

    # The first is that of this machine, which writes the manual pages.
    host = TARGETS["linux-x64-gnu"]
    for target in sorted({host, *targets}, key=lambda each: each is not host):
        print(f"package: {target.name}", flush=True)
        compile_all(target)
        check(target)
        if target not in targets:
            continue
        c_archive.c_library(target, version(), work, out, third_party)
        c_archive.program(target, built(host) / "swarm", version(), work, out, third_party)
        npm.platform(target, work, out, third_party)
        wheels.wheel(target, version(), out, {"licenses/THIRD_PARTY.txt": third_party, "sboms/libswarm.cdx.json": materials})
    wheels.source(version(), out)
    npm.main_package(work, out)

    files = sorted(path for path in out.iterdir() if path.is_file())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (out / "SHA256SUMS").write_text(sums)
    for path in files:
        print(f"  {path.stat().st_size / 1e6:7.1f} MB  {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    missing = [target.name for target in TARGETS.values() if target not in targets]
    if missing:
        print(f"package: not built: {', '.join(missing)}")


if __name__ == "__main__":
    main(sys.argv[1:])
