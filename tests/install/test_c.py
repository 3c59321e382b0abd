"""The archive of the C library works from the folder where it was unpacked, with pkg-config and CMake, in C and C++."""

import os
import platform
import tarfile
from pathlib import Path

import pytest
from packages import ROOT, TOOLS, package, run, version

HERE = f"linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}-gnu"
EXAMPLES = ("hold", "master", "poll", "worker")
FLAGS = ("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """In a folder whose name has a space."""
    folder = tmp_path / "third party"
    with tarfile.open(package(f"libswarm-{{}}-{HERE}.tar.gz")) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"libswarm-{version()}-{HERE}"


@pytest.fixture
def environment(library: Path, url: str) -> dict[str, str]:
    """With a compiler of C, and without cargo."""
    more = {"SWARM_REDIS_URL": url, "PKG_CONFIG_PATH": str(library / "lib" / "pkgconfig"), "PATH": f"{TOOLS}:/usr/bin:/bin"}
    return {**os.environ, **more}


def test_the_archive_contains_the_expected_files(library: Path) -> None:
    names = {path.relative_to(library).as_posix() for path in library.rglob("*")}
    assert {"lib/libswarm.a", "include/swarm.h", "LICENSE", "THIRD_PARTY.txt", "lib/pkgconfig/libswarm.pc"} <= names
    assert {"lib/cmake/libswarm/libswarm-config.cmake", "lib/cmake/libswarm/libswarm-config-version.cmake"} <= names
    assert (library / "lib" / "libswarm.so").is_symlink()
    assert (library / "lib" / "libswarm.so").resolve().name == f"libswarm.so.{version()}"


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_examples_build_with_pkg_config_and_run(kind: str, library: Path, environment: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    # By the shell, which reads the quotes that pkg-config puts around a space.
    libraries = "$(pkg-config --cflags --libs libswarm)"
    if kind == "static":
        private = "$(pkg-config --static --libs-only-l libswarm | sed s/-lswarm//)"
        libraries = f"$(pkg-config --cflags libswarm) -Wl,-Bstatic $(pkg-config --libs libswarm) -Wl,-Bdynamic {private}"
    for name in EXAMPLES:
        source = ROOT / "examples" / "c" / f"{name}.c"
        run(["bash", "-ec", f"eval cc {' '.join(FLAGS)} '{source}' {libraries} -o '{programs / name}'"], tmp_path, environment)
    if kind == "shared":
        environment["LD_LIBRARY_PATH"] = str(library / "lib")
    run([ROOT / "examples" / "c" / "run.sh", programs], tmp_path, environment)


CMAKE = """cmake_minimum_required(VERSION 3.16)
project(program C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(libswarm {version} REQUIRED)
find_package(Threads REQUIRED)
foreach(name hold master poll worker)
  add_executable(${{name}} {examples}/${{name}}.c)
  target_link_libraries(${{name}} PRIVATE libswarm::{kind})
  target_compile_definitions(${{name}} PRIVATE _POSIX_C_SOURCE=200809L)
endforeach()
add_executable(cxx {tests}/test_cxx.cpp)
target_link_libraries(cxx PRIVATE libswarm::{kind} Threads::Threads)
"""


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_cmake_projects_in_c_and_cxx_build_and_run(kind: str, library: Path, environment: dict[str, str], tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    text = CMAKE.format(version=version(), kind=kind, examples=ROOT / "examples" / "c", tests=ROOT / "tests" / "c")
    (project / "CMakeLists.txt").write_text(text)
    run([TOOLS / "cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={library}"], project, environment)
    run([TOOLS / "cmake", "--build", "build"], project, environment)
    run([ROOT / "examples" / "c" / "run.sh", "build"], project, environment)
    run([project / "build" / "cxx"], project, environment)


@pytest.mark.parametrize(
    ("wanted", "found"), [("", True), ("0", True), ("0.1", True), ("0.2", False), ("1.0", False), ("99", False)]
)
def test_cmake_takes_compatible_versions_only(
    wanted: str, found: bool, library: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    assert version().startswith("0.1."), "the versions of this test are those around 0.1"
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.16)\nproject(program NONE)\nfind_package(libswarm {wanted} REQUIRED)\n"
    )
    command: list[str | Path] = [TOOLS / "cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={library}"]
    printed = run(command, tmp_path, environment, status=0 if found else 1)
    assert found or "libswarm" in printed
