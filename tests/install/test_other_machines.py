"""What was built for other machines runs in an emulator, as far as there is one with the C library."""

import shutil
import tarfile
from pathlib import Path

import pytest
from packages import ROOT, TOOLS, Target, built_targets, package, run, version

OTHERS = [target for target in built_targets() if target.name != "linux-x64-gnu"]


def runs(target: Target) -> bool:
    if target.name == "linux-x64-musl":
        return shutil.which("musl-gcc") is not None
    if target.name == "linux-arm64-gnu":
        return shutil.which(target.runner[0]) is not None and Path("/usr/aarch64-linux-gnu/lib/libgcc_s.so.1").exists()
    return False


def unpacked(name: str, target: Target, folder: Path) -> Path:
    """The folder of an archive."""
    if not runs(target):
        pytest.skip(f"nothing here runs {target.name}")
    with tarfile.open(package(f"{name}-{{}}-{target.name}.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"{name}-{version()}-{target.name}"


others = pytest.mark.parametrize("target", OTHERS, ids=[target.name for target in OTHERS])


@others
def test_the_program_starts(target: Target, tmp_path: Path, url: str) -> None:
    program = unpacked("swarm", target, tmp_path) / "bin" / "swarm"
    environment = {"SWARM_REDIS_URL": url, "SWARM_CLUSTER": "other"}
    assert run([*target.runner, program, "--version"], tmp_path, environment) == f"swarm {version()}\n"
    assert run([*target.runner, program, "add", "mail", "[1]", "--id", "a"], tmp_path, environment) == "a\n"


@others
def test_a_c_program_runs(target: Target, tmp_path: Path, url: str) -> None:
    library = unpacked("libswarm", target, tmp_path)
    machine = target.zig.replace("-unknown", "")
    program = tmp_path / "hold"
    sources: list[str | Path] = [
        ROOT / "examples" / "c" / "hold.c",
        f"-I{library / 'include'}",
        f"-L{library / 'lib'}",
        "-lswarm",
    ]
    # The newer musl of zig has functions that this one may lack.
    with_zig: list[str | Path] = [TOOLS / "python", "-m", "ziglang", "cc", "-target", machine]
    compiler: list[str | Path] = ["musl-gcc"] if target.musl else with_zig
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run(
        [*compiler, "-std=c11", "-D_POSIX_C_SOURCE=200809L", f"-Wl,-rpath,{library / 'lib'}", *sources, "-o", program],
        tmp_path,
        home,
    )
    printed = run([*target.runner, program, "add", "camera"], tmp_path, {"SWARM_REDIS_URL": url})
    assert "camera did not exist" in printed
