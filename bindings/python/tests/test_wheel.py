"""The wheel installs into a clean environment and works there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LICENCE = ROOT.parents[1] / "LICENSE"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this tree."""
    out = tmp_path_factory.mktemp("wheel")
    # The profile of the extension under test, so that what is built already is not built again.
    profile = os.environ.get("SWARM_WHEEL_PROFILE", "release")
    subprocess.run(
        [Path(sys.executable).with_name("maturin"), "build", "--quiet", "--profile", profile, "--out", out],
        cwd=ROOT,
        check=True,
        timeout=600,
    )
    (wheel,) = out.glob("*.whl")
    return wheel


def test_the_wheel_contains_the_expected_files(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    package = {name.removeprefix("libswarm/") for name in names if name.startswith("libswarm/")}
    assert {"__init__.py", "py.typed", "_native.pyi", "_native.abi3.so", "aio/__init__.py"} <= package
    assert [name for name in names if name.endswith(".data/scripts/swarm")], "the command line"
    assert not [name for name in names if "/tests/" in name or "/test_" in name or "__pycache__" in name]
    (licence,) = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    assert zipfile.ZipFile(wheel).read(licence) == LICENCE.read_bytes()


def test_the_source_contains_the_licence(tmp_path: Path) -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("maturin"), "sdist", "--out", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        assert not [name for name in archive.getnames() if ".data/" in name], "no program of this machine"
        texts = [archive.extractfile(member) for member in archive.getmembers() if Path(member.name).name == "LICENSE"]
        assert texts
        assert all(text is not None and text.read() == LICENCE.read_bytes() for text in texts)


def test_the_wheel_installs_and_runs_an_example(wheel: Path, tmp_path: Path, url: str) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True, env=environment, timeout=120)
    swarm = tmp_path / "venv" / "bin" / "swarm"
    version = subprocess.run([swarm, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert version == f"swarm {wheel.name.split('-')[1]}\n"
    example = ROOT.parents[1] / "examples" / "python" / "asyncio_both.py"
    done = subprocess.run(
        [python, example, url], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "the sum of 1,000 squares is 332833500" in done.stdout
