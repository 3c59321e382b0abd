"""The wheel installs without a toolchain and runs a worker; the source archive builds."""

import os
import platform
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

import pytest
from packages import ROOT, package, plain_environment, run, version

MACHINE = platform.machine()


@pytest.fixture
def wheel() -> Path:
    return package(f"libswarm-{{}}-cp311-abi3-manylinux*{MACHINE}.whl")


def test_the_wheel_installs_and_runs_a_worker(wheel: Path, tmp_path: Path, url: str) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    environment = plain_environment(tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], tmp_path, environment)
    assert run([tmp_path / "venv" / "bin" / "swarm", "--version"], tmp_path, environment) == f"swarm {version()}\n"
    printed = run([python, ROOT / "examples" / "python" / "asyncio_both.py", url], tmp_path, environment)
    assert "the sum of 1,000 squares is 332833500" in printed


def test_the_wheel_has_licences_and_a_bill_of_materials(wheel: Path) -> None:
    names = {name.split(".dist-info/")[-1] for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" in name}
    assert {"licenses/LICENSE", "licenses/THIRD_PARTY.txt", "sboms/libswarm.cdx.json"} <= names


def test_the_wheel_of_another_machine_is_refused_by_pip_and_named_by_the_package(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    environment = plain_environment(tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    other = tmp_path / wheel.name.replace(MACHINE, "s390x")
    other.write_bytes(wheel.read_bytes())
    assert "is not a supported wheel on this platform" in run(
        [python, "-m", "pip", "install", "--no-index", other], tmp_path, environment, status=1
    )
    run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], tmp_path, environment)
    (module,) = tmp_path.glob("venv/lib/*/site-packages/libswarm/_native.abi3.so")
    module.unlink()
    assert f"the wheel is {wheel.name}" in run([python, "-c", "import libswarm"], tmp_path, environment, status=1)


def test_the_source_archive_builds(tmp_path: Path, url: str) -> None:
    """With Rust, as a user has it; not optimized, because that takes minutes more."""
    with tarfile.open(package("libswarm-{}.tar.gz")) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / f"libswarm-{version()}"
    environment = {**os.environ, "MATURIN_PEP517_ARGS": "--profile=dev"}
    maturin = Path(sys.executable).parent
    environment["PATH"] = f"{maturin}:{environment['PATH']}"
    # Anew each time: the files of an archive are old, so that cargo takes what was built from another one for theirs.
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as target:
        run(
            [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source],
            tmp_path,
            {**environment, "CARGO_TARGET_DIR": target},
        )
    (made,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    run([python, "-m", "pip", "install", "--quiet", "--no-index", made], tmp_path, environment)
    example = ROOT / "examples" / "python" / "asyncio_both.py"
    assert "332833500" in run([python, example, url], tmp_path, environment)
