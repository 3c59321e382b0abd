"""The archive of the C library, and that of the program `swarm`."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from targets import Target
from toolchain import ROOT, built, static_libraries, strip_archive


def c_library(target: Target, version: str, work: Path, out: Path, third_party: str) -> Path:
    """`lib`, `include`, the files of pkg-config and CMake, and the licences. It works from any folder."""
    name = f"libswarm-{version}-{target.name}"
    stage = _fresh(work / name)
    files = _fresh(work / f"{name}-built")
    shutil.copy2(built(target) / "libswarm.so", files)
    strip_archive(built(target) / "libswarm.a", files / "libswarm.a")
    environment = os.environ | {"PRIVATE_LIBS": static_libraries(target), "PC_PREFIX": "${pcfiledir}/../.."}
    subprocess.run([ROOT / "scripts" / "install_library.sh", files, "", stage], env=environment, check=True)
    _licences(stage, third_party)
    return pack(stage, out / f"{name}.tar.gz")


def program(target: Target, host: Path, version: str, work: Path, out: Path, third_party: str) -> Path:
    """`bin/swarm` with its manual pages and completions, which `host`, the same program for this machine, writes."""
    name = f"swarm-{version}-{target.name}"
    stage = _fresh(work / name)
    subprocess.run([ROOT / "scripts" / "install_program.sh", built(target) / "swarm", host, stage], check=True)
    _licences(stage, third_party)
    return pack(stage, out / f"{name}.tar.gz")


def _licences(stage: Path, third_party: str) -> None:
    shutil.copy2(ROOT / "LICENSE", stage)
    (stage / "THIRD_PARTY.txt").write_text(third_party)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def pack(folder: Path, to: Path) -> Path:
    """An archive of the folder that depends on its contents only, not on times and users."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 0
        return member

    with (
        to.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file,
        tarfile.open(fileobj=file, mode="w") as tar,
    ):
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, arcname=path.relative_to(folder.parent), recursive=False, filter=plain)
    return to
