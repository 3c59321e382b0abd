"""Loads the native module, or raises an error that names the missing wheel.

`SWARM_NATIVE_LIBRARY` is the path of another one, for example of a debug build.
"""

import importlib
import importlib.util
import os
import platform
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_NAME = f"{__package__}._native"
#: Of wheels: the machine as Python names it, and as the tags do.
_MACHINES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def _tag() -> str | None:
    """The platform tag of the wheel for this machine, if there is one."""
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return None
    musl = "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE")) or "musl" in str(sysconfig.get_config_var("SOABI"))
    return f"musllinux_1_2_{machine}" if musl else f"manylinux2014_{machine}.manylinux_2_17_{machine}"


def _version() -> str:
    try:
        return version("libswarm")
    except PackageNotFoundError:
        return ""


def _reason(error: ImportError) -> str:
    """Why the module does not load here, and what to do."""
    found = sorted(path.name for path in Path(__file__).parent.glob("_native*.so"))
    number = _version()
    requirement = f"libswarm=={number}" if number else "libswarm"
    build = f"With Rust 1.88, build it for this Python: pip install --force-reinstall --no-binary libswarm {requirement}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    free = " without the GIL" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    if sys.implementation.name != "cpython" or free:
        wheels = "its wheels are for CPython 3.11 and newer with the GIL"
        return f"libswarm has no wheel for {python}{free}; {wheels}. Use such a Python. ({error})"
    tag = _tag()
    if tag is None:
        wheels = "there are wheels for Linux on x86_64 and aarch64, with glibc 2.17 or musl 1.2"
        return f"libswarm has no wheel for {sys.platform} on {platform.machine()}; {wheels}. {build} ({error})"
    wheel = f"For {python} here the wheel is libswarm-{number or 'VERSION'}-cp311-abi3-{tag}.whl"
    cure = f"Install it: pip install --force-reinstall --only-binary libswarm {requirement}"
    if not found:
        return f"libswarm finds no native module. {wheel}. {cure}. {build} ({error})"
    return f"libswarm cannot load its native module {', '.join(found)}: {error}. {wheel}. {cure}. {build}"


def _load_file(path: str) -> None:
    spec = importlib.util.spec_from_file_location(_NAME, path)
    try:
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is no library")
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
    except ImportError as error:
        sys.modules.pop(_NAME, None)
        text = f"libswarm cannot load the native module that SWARM_NATIVE_LIBRARY names: {error}"
        raise ImportError(f"{text}. Correct the path, or unset the variable", name=_NAME, path=path) from error
    vars(sys.modules[__package__])["_native"] = module


def load() -> None:
    """Before anything else of the package is imported."""
    path = os.environ.get("SWARM_NATIVE_LIBRARY")
    if path:
        _load_file(path)
        return
    try:
        importlib.import_module(_NAME)
    except ImportError as error:
        raise ImportError(_reason(error), name=_NAME) from error


load()
