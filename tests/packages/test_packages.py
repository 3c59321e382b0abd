"""What packages are made from agrees: versions, metadata, and the files of pkg-config and CMake."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import crates
import pytest
from targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())
VERSION = CARGO["workspace"]["package"]["version"]


def test_every_file_has_the_version_of_the_workspace() -> None:
    done = subprocess.run([ROOT / "scripts" / "version.py", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_version_is_written_everywhere_and_a_stale_one_is_found(tmp_path: Path) -> None:
    names = [
        "Cargo.toml",
        "Cargo.lock",
        "include/swarm.h",
        "bindings/node/package.json",
        "bindings/node/package-lock.json",
        "scripts/version.py",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    program = tmp_path / "scripts" / "version.py"

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    assert run("--set", "7.8.9").returncode == 0
    assert run("--check").returncode == 0
    assert run().stdout == "7.8.9\n"
    assert json.loads((tmp_path / "bindings/node/package.json").read_text())["version"] == "7.8.9"
    # Crates of others that happen to have the same version stay.
    changed = re.findall(r'name = "(.*)"\nversion = "7\.8\.9"\n(source)?', (tmp_path / "Cargo.lock").read_text())
    assert {"libswarm", "libswarm-cli", "driver-rust"} <= {name for name, _ in changed}
    assert not [name for name, source in changed if source]
    shutil.copy2(ROOT / "bindings/node/package.json", tmp_path / "bindings/node/package.json")
    stale = run("--check")
    assert stale.returncode == 1
    assert f"package.json has version {VERSION}, Cargo.toml 7.8.9" in stale.stderr
    assert run("--set", "seven").returncode == 1


def test_packages_name_the_same_licence_and_description() -> None:
    python = tomllib.loads((ROOT / "bindings/python/pyproject.toml").read_text())["project"]
    node = json.loads((ROOT / "bindings/node/package.json").read_text())
    assert {python["license"], node["license"], CARGO["workspace"]["package"]["license"]} == {"MIT"}
    assert python["description"] == node["description"]
    assert python["dynamic"] == ["version"]
    assert (ROOT / "bindings/python/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    # Nothing is built or downloaded while it is installed.
    assert not {"preinstall", "install", "postinstall"} & set(node["scripts"])


def test_the_node_loader_knows_the_packages_that_are_built() -> None:
    platforms = (ROOT / "bindings/node/lib/platform.js").read_text()
    found = re.search(r"const PACKAGED = (\[.*\]);", platforms)
    assert found is not None
    assert sorted(json.loads(found.group(1))) == sorted(TARGETS)
    loader = (ROOT / "bindings/node/lib/native.js").read_text()
    assert sorted(re.findall(r'require\("assemblage-(.*)"\)', loader)) == sorted(TARGETS)


def test_each_platform_package_says_where_it_installs() -> None:
    for target in TARGETS.values():
        system, processor, libc = target.node
        assert target.name == f"{system}-{processor}-{'gnu' if libc == 'glibc' else libc}"
        assert target.triple.startswith({"x64": "x86_64", "arm64": "aarch64"}[processor])
        assert all(tag.endswith(target.triple.split("-")[0]) for tag in target.wheel)
        assert all(tag.startswith("manylinux" if libc == "glibc" else "musllinux") for tag in target.wheel)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The C library as a package has it, with empty libraries."""
    built = tmp_path / "built"
    built.mkdir()
    for name in ("libswarm.so", "libswarm.a"):
        (built / name).write_text("")
    environment = {**os.environ, "PC_PREFIX": "${pcfiledir}/../..", "PRIVATE_LIBS": "-lgcc_s -lm"}
    subprocess.run([ROOT / "scripts/install_library.sh", built, "", tmp_path / "package"], check=True, env=environment)
    return tmp_path / "package"


def test_the_c_package_works_from_any_folder(installed: Path, tmp_path: Path) -> None:
    moved = installed.rename(tmp_path / "moved")
    environment = {**os.environ, "PKG_CONFIG_PATH": str(moved / "lib/pkgconfig")}

    def asked(*arguments: str) -> str:
        command = ["pkg-config", *arguments, "libswarm"]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()

    assert asked("--modversion") == VERSION
    assert Path(asked("--cflags").removeprefix("-I")).resolve() == moved / "include"
    assert asked("--static", "--libs").endswith("-lswarm -lgcc_s -lm")
    names = sorted(path.name for path in (moved / "lib").iterdir() if path.name.startswith("libswarm"))
    abi = VERSION.rsplit(".", 1)[0] if VERSION.startswith("0.") else VERSION.split(".")[0]
    assert names == ["libswarm.a", "libswarm.so", f"libswarm.so.{abi}", f"libswarm.so.{VERSION}"]
    assert (moved / "lib/libswarm.so").resolve().name == f"libswarm.so.{VERSION}"


def test_the_bill_of_materials_and_the_licences_cover_every_crate() -> None:
    found = crates.linked([target.triple for target in TARGETS.values()])
    names = {crate.name for crate in found}
    assert {"tokio", "rustls", "ring", "redis", "pyo3", "napi", "clap"} <= names
    assert not {"cbindgen", "proptest", "napi-build"} & names, "what builds and tests is not shipped"
    text = crates.third_party(found)
    for crate in found:
        if crate.checksum is not None:
            assert f"\n{crate.name} {crate.version}: {crate.licence}\n" in text
    assert "uPlot" in text
    assert "Permission is hereby granted" in text

    materials: dict[str, Any] = json.loads(crates.bill_of_materials(found, VERSION))
    assert materials == json.loads(crates.bill_of_materials(found, VERSION)), "the same sources give the same"
    components = {component["bom-ref"] for component in materials["components"]}
    assert len(components) == len(materials["components"]) == len(found)
    for dependency in materials["dependencies"]:
        assert set(dependency["dependsOn"]) <= components
