"""CONTRIBUTING.md lists every dependency that is shipped, and no other."""

import re
import tomllib

from pages import ROOT, parsed

CRATES = ["core", "core/common", "supervisor", "bindings/host", "ffi", "bindings/python", "bindings/node", "cli"]


def shipped() -> set[str]:
    """The crates that the manifests of the project name."""
    found: set[str] = set()
    for crate in CRATES:
        manifest = tomllib.loads((ROOT / crate / "Cargo.toml").read_text("utf-8"))
        for part in [manifest, *manifest.get("target", {}).values()]:
            for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
                found |= set(part.get(kind, {}))
    return {name for name in found if not name.startswith("libswarm")}


def test_the_dependencies_are_listed() -> None:
    table = parsed(ROOT / "CONTRIBUTING.md").table("Dependencies")
    listed = {
        name
        for where, packages in zip(table.column("where"), table.column("package"), strict=True)
        if where.partition(" ")[0].rstrip(",") in {"core", "host", "ffi", "python", "node", "cli"}
        for name in re.findall(r"`([\w-]+)`", packages)
    }
    tools = {
        "maturin",
        "pytest",
        "pytest-timeout",
        "pytest-xdist",
        "mypy",
        "ruff",
        "unasync",
        "import-linter",
        "typescript",
        "ioredis",
    }
    assert listed - tools == shipped()
