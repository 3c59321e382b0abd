"""What `make package` built, and commands that run where nothing could be compiled."""

import os
import shutil
import subprocess
from pathlib import Path

from targets import TARGETS, Target
from version import version

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "package"
TOOLS = ROOT / "target" / "package-tools" / "bin"

__all__ = ["BUILT", "ROOT", "TARGETS", "TOOLS", "Target", "built_targets", "package", "plain_environment", "run", "version"]

#: What the package managers call. Compilers are not among it.
_PROGRAMS = (
    "sh",
    "env",
    "node",
    "npm",
    "npx",
    "uname",
    "sed",
    "dirname",
    "basename",
    "readlink",
    "cat",
    "cp",
    "rm",
    "mkdir",
    "tar",
    "gzip",
)


def package(pattern: str) -> Path:
    """The one file of that name; `{}` is the version."""
    found = sorted(BUILT.glob(pattern.format(version())))
    assert len(found) == 1, f"{BUILT} has {len(found)} files for {pattern.format(version())}; run `make package` first"
    return found[0]


def built_targets() -> list[Target]:
    return [target for target in TARGETS.values() if (BUILT / f"libswarm-{version()}-{target.name}.tar.gz").exists()]


def plain_environment(folder: Path, **more: str) -> dict[str, str]:
    """One without a toolchain in PATH and with a home of its own."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is not None and not (programs / name).exists():
            (programs / name).symlink_to(Path(found).resolve() if name in ("npm", "npx") else found)
    for name in ("cargo", "rustc", "cc", "gcc", "clang", "make"):
        assert shutil.which(name, path=str(programs)) is None
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_")) or name == "SWARM_REDIS_URL"}
    return {**kept, "PATH": str(programs), "HOME": str(folder), "TMPDIR": str(folder), **more}


def run(command: list[str | Path], where: Path, environment: dict[str, str], status: int = 0) -> str:
    """Its output, with what it wrote to stderr."""
    done = subprocess.run(
        command,
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == status, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
