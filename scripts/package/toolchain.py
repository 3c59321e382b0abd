"""Compiles for a target with cargo and zig, which links against the oldest C library that the result is to run with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from targets import Target

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
TOOLS = ROOT / "target" / "package-tools" / "bin"
PROFILE = "packaged"
JOBS = os.environ.get("CARGO_BUILD_JOBS", str(os.cpu_count() or 1))


def environment(target: Target) -> dict[str, str]:
    """Of every process that compiles, so that all of them share what is compiled."""
    result = os.environ | {"PATH": f"{TOOLS}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "CARGO_BUILD_JOBS": JOBS}
    if target.musl:
        # Modules of Python and Node are loaded by programs that are linked with musl dynamically.
        result[f"CARGO_TARGET_{target.triple.upper().replace('-', '_')}_RUSTFLAGS"] = "-C target-feature=-crt-static"
    return result


def run(command: list[str | Path], target: Target) -> None:
    """What it writes to stderr is shown."""
    done = subprocess.run(command, cwd=ROOT, env=environment(target), check=False)
    if done.returncode != 0:
        sys.exit(f"package: {' '.join(map(str, command))} ended with {done.returncode}")


def built(target: Target) -> Path:
    return TARGET / target.triple / PROFILE


def has_std(target: Target) -> bool:
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    return (Path(sysroot) / "lib" / "rustlib" / target.triple).is_dir()


def compile_all(target: Target) -> None:
    """The C library, the modules of Python and Node, and the program: in one go, so that what they share is compiled once."""
    names = ("libswarm-ffi", "libswarm-python", "libswarm-node", "libswarm-cli")
    packages = [part for name in names for part in ("--package", name)]
    run(["cargo", "zigbuild", "--locked", "--quiet", "--profile", PROFILE, "--target", target.zig, *packages], target)


def static_libraries(target: Target) -> str:
    """What a program that is linked with libswarm.a needs besides, for Rust's standard library; all else is inside."""
    command = ["rustc", "--crate-type", "staticlib", "--print", "native-static-libs", "--target", target.triple]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [*command, "-C", "target-feature=-crt-static", "-o", f"{folder}/empty.a", "-"],
            input="",
            capture_output=True,
            text=True,
            check=True,
        )
    (found,) = re.findall(r"native-static-libs: (.*)", done.stderr)
    return str(found).replace(" -lc", "")


def strip_archive(path: Path, to: Path) -> None:
    """Without the debug information of Rust's standard library, for any machine."""
    sysroot = Path(subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip())
    (tool,) = sysroot.glob("lib/rustlib/*/bin/rust-objcopy")
    subprocess.run([tool, "--strip-debug", path, to], check=True, env=os.environ | {"LD_LIBRARY_PATH": str(sysroot / "lib")})
