"""A native module that is missing or does not load is named with its wheel and the cure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import libswarm
from libswarm import _native

#: Prints why the package is not imported, or its version.
PROGRAM = """
import sys, sysconfig, platform
exec(sys.argv[1])
try:
    import libswarm
except ImportError as error:
    print(error)
else:
    print("version", libswarm.__version__)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package without its native module, as if installed."""
    information = tmp_path / f"libswarm-{libswarm.__version__}.dist-info" / "METADATA"
    information.parent.mkdir()
    information.write_text(f"Metadata-Version: 2.1\nName: libswarm\nVersion: {libswarm.__version__}\n")
    ignored = shutil.ignore_patterns("*.so", "__pycache__")
    return Path(shutil.copytree(Path(libswarm.__file__).parent, tmp_path / "libswarm", ignore=ignored))


def imported(package: Path, change: str = "", **environment: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(package.parent), **environment}
    variables = {name: value for name, value in variables.items() if value}
    done = subprocess.run([sys.executable, "-c", PROGRAM, change], capture_output=True, text=True, check=True, env=variables)
    return done.stdout.strip()


def test_a_missing_module_is_named_with_its_wheel_and_the_cure(package: Path) -> None:
    text = imported(package, SWARM_NATIVE_LIBRARY="")
    number = re.escape(libswarm.__version__)
    assert text.startswith("libswarm finds no native module."), text
    assert re.search(rf"the wheel is libswarm-{number}-cp311-abi3-(manylinux2014|musllinux_1_2)_\S+\.whl", text), text
    assert re.search(rf"pip install --force-reinstall --only-binary libswarm libswarm=={number}\.", text), text


def test_a_module_that_does_not_load_is_named_with_the_reason(package: Path) -> None:
    (package / "_native.abi3.so").write_bytes(b"no library")
    text = imported(package, SWARM_NATIVE_LIBRARY="")
    assert text.startswith("libswarm cannot load its native module _native.abi3.so: "), text
    assert "_native.abi3.so: " in text
    assert "the wheel is libswarm-" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("sysconfig.get_config_vars(); sys.platform = 'sunos5'", "libswarm has no wheel for sunos5 on "),
        (
            "platform.machine = lambda: 's390x'",
            "libswarm has no wheel for linux on s390x; there are wheels for Linux on x86_64 and aarch64",
        ),
        (
            "sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1",
            "without the GIL; its wheels are for CPython 3.11 and newer with the GIL",
        ),
        ("platform.machine = lambda: 'aarch64'", "-cp311-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl"),
        ("sysconfig.get_config_vars()['SOABI'] = 'cpython-311-x86_64-linux-musl'", "-cp311-abi3-musllinux_1_2_"),
    ],
)
def test_each_platform_gets_its_own_text(package: Path, change: str, expected: str) -> None:
    assert expected in imported(package, change, SWARM_NATIVE_LIBRARY="")


def test_swarm_native_library_names_another_module(package: Path) -> None:
    assert imported(package, SWARM_NATIVE_LIBRARY=_native.__file__) == f"version {libswarm.__version__}"
    text = imported(package, SWARM_NATIVE_LIBRARY="/nowhere/native.so")
    assert "the native module that SWARM_NATIVE_LIBRARY names" in text
    assert "Correct the path, or unset the variable" in text
    text = imported(package, SWARM_NATIVE_LIBRARY=str(package / "py.typed"))
    assert "py.typed is no library" in text
