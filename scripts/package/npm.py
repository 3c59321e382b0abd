"""The Node packages: one for each platform with the addon and the program, and the main one, which has those as
optional dependencies.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from targets import TARGETS, Target
from toolchain import ROOT, built

NODE = ROOT / "bindings" / "node"


def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((NODE / "package.json").read_text())
    return manifest


def package_name(target: Target) -> str:
    return f"{_manifest()['name']}-{target.name}"


def platform(target: Target, work: Path, out: Path, third_party: str) -> Path:
    main = _manifest()
    name = package_name(target)
    addon = f"{main['name']}.{target.name}.node"
    folder = _fresh(work / name)
    shutil.copy2(built(target) / "liblibswarm_node.so", folder / addon)
    shutil.copy2(built(target) / "swarm", folder / "swarm")
    (folder / "swarm").chmod(0o755)
    shutil.copy2(ROOT / "LICENSE", folder)
    (folder / "THIRD_PARTY.txt").write_text(third_party)
    (folder / "README.md").write_text(
        f"# {name}\n\nThe native addon and the program `swarm` of `{main['name']}` for {target.name}. Do not install it alone: "
        f"`{main['name']}` has it as an optional dependency.\n"
    )
    system, processor, libc = target.node
    manifest = {
        "name": name,
        "version": main["version"],
        "description": f"The native addon of {main['name']} for {target.name}",
        "license": main["license"],
        "engines": main["engines"],
        "os": [system],
        "cpu": [processor],
        "libc": [libc],
        "main": addon,
        "files": [addon, "swarm", "THIRD_PARTY.txt"],
        # A shared library cannot be loaded from an archive, as Yarn keeps packages.
        "preferUnplugged": True,
    }
    (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return _pack(folder, out)


def main_package(work: Path, out: Path) -> Path:
    """The files of the package in this repository, without what was built here, with the packages of all platforms."""
    manifest = _manifest()
    folder = _fresh(work / manifest["name"])
    manifest["files"] = [name for name in manifest["files"] if "*" not in name]
    for name in [*manifest["files"], "README.md"]:
        source = NODE / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    shutil.copy2(ROOT / "LICENSE", folder)
    manifest["optionalDependencies"] = {package_name(target): manifest["version"] for target in TARGETS.values()}
    for name in ("scripts", "devDependencies", "napi"):
        del manifest[name]
    (folder / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return _pack(folder, out)


def _pack(folder: Path, out: Path) -> Path:
    command = ["npm", "pack", "--json", "--pack-destination", str(out)]
    packed = json.loads(subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout)
    return out / str(packed[0]["filename"])


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
