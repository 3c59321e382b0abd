"""The Node package installs by each package manager without a toolchain, and runs in each kind of module and bundle."""

import json
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from npm_registry import npm_registry
from packages import plain_environment, run, version

PROGRAMS = Path(__file__).parent / "programs"
HERE = f"linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}-gnu"
MANAGERS = {"npm": "", "pnpm": "pnpm@9", "yarn": "yarn@1"}


@pytest.fixture(scope="session")
def registry() -> Iterator[str]:
    upstream = subprocess.run(["npm", "config", "get", "registry"], capture_output=True, text=True, check=True).stdout.strip()
    with npm_registry(upstream) as address:
        yield address


class Program:
    """A folder of a program, in which packages are installed by one package manager."""

    def __init__(self, folder: Path, url: str, registry: str, manager: str = "npm") -> None:
        self.folder = folder / "program"
        self.folder.mkdir()
        # Without the cache of this user, whose packages may be older builds of the same version.
        self.environment = plain_environment(
            folder,
            SWARM_REDIS_URL=url,
            npm_config_registry=registry,
            YARN_REGISTRY=registry,
            npm_config_cache=str(folder / "cache"),
            npm_config_update_notifier="false",
        )
        self.manager: list[str | Path] = ["npm"]
        if MANAGERS[manager]:
            tools = folder / "manager"
            tools.mkdir()
            run(["npm", "install", "--silent", "--no-audit", "--no-fund", MANAGERS[manager]], tools, self.environment)
            self.manager = [tools / "node_modules" / ".bin" / manager]
        (self.folder / "package.json").write_text(json.dumps({"name": "program", "version": "1.0.0", "private": True}))
        for path in PROGRAMS.iterdir():
            shutil.copy(path, self.folder)

    def install(self, *packages: str) -> None:
        command = "install" if self.manager == ["npm"] else "add"
        run([*self.manager, command, *packages], self.folder, self.environment)

    def node(self, *arguments: str, status: int = 0) -> str:
        return run(["node", *arguments], self.folder, self.environment, status)

    def tool(self, name: str, *arguments: str) -> str:
        return run([self.folder / "node_modules" / ".bin" / name, *arguments], self.folder, self.environment)


@pytest.mark.parametrize("manager", MANAGERS)
def test_programs_of_every_kind_run(manager: str, tmp_path: Path, url: str, registry: str) -> None:
    program = Program(tmp_path, url, registry, manager)
    program.install("assemblage", "typescript@5.9.3", "@types/node@20")
    assert program.node("old.cjs") == "added 7\ndeleted 7\n"
    assert program.node("new.mjs") == "42\n"
    program.tool("tsc", "--strict", "--module", "nodenext", "--skipLibCheck", "typed.ts")
    assert program.node("typed.js") == "42\n"
    assert program.tool("swarm", "--version") == f"swarm {version()}\n"
    assert program.tool("assemblage", "--version") == f"swarm {version()}\n"
    folders = program.folder.rglob(f"assemblage-{HERE}/package.json")
    assert {json.loads(path.read_text())["version"] for path in folders} == {version()}
    if manager == "npm":
        # Yarn 1 does not know `libc`.
        assert sorted(path.name for path in (program.folder / "node_modules").glob("assemblage*")) == [
            "assemblage",
            f"assemblage-{HERE}",
        ]


def test_a_program_without_the_optional_package_is_told_what_to_install(tmp_path: Path, url: str, registry: str) -> None:
    program = Program(tmp_path, url, registry)
    program.install("--omit=optional", "assemblage")
    assert f"npm install assemblage-{HERE}@{version()}" in program.node("new.mjs", status=1)
    program.install(f"assemblage-{HERE}@{version()}", "--omit=optional")
    assert program.node("new.mjs") == "42\n"


def test_the_addon_of_swarm_native_library_is_used(tmp_path: Path, url: str, registry: str) -> None:
    program = Program(tmp_path, url, registry)
    program.install("assemblage")
    package = program.folder / "node_modules" / f"assemblage-{HERE}"
    addon = tmp_path / "elsewhere.node"
    shutil.move(package / f"assemblage.{HERE}.node", addon)
    program.node("new.mjs", status=1)
    program.environment["SWARM_NATIVE_LIBRARY"] = str(addon)
    assert program.node("new.mjs") == "42\n"


BUNDLERS = {
    "esbuild": (
        ["esbuild@0.25"],
        [
            "esbuild",
            "old.cjs",
            "--bundle",
            "--platform=node",
            "--external:assemblage-linux-*",
            "--outfile=out/main.cjs",
            "--log-level=error",
        ],
        "",
    ),
    "webpack": (
        ["webpack@5", "webpack-cli@6"],
        ["webpack", "--no-stats"],
        """module.exports = {
             target: "node", mode: "production", entry: "./old.cjs", output: { path: __dirname + "/out", filename: "main.cjs" },
             externals: ({ request: name }, done) =>
               name.startsWith("assemblage-linux-") ? done(null, "commonjs " + name) : done() };""",
    ),
    "rollup": (
        ["rollup@4", "@rollup/plugin-commonjs@28", "@rollup/plugin-node-resolve@16"],
        ["rollup", "--silent", "-c", "rollup.config.mjs"],
        """import commonjs from "@rollup/plugin-commonjs";
           import resolve from "@rollup/plugin-node-resolve";
           export default { input: "old.cjs", output: { file: "out/main.cjs", format: "cjs" }, external: [/^assemblage-linux-/],
             plugins: [resolve({ preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true })] };""",
    ),
}


@pytest.mark.parametrize("bundler", BUNDLERS)
def test_a_bundle_runs_with_the_platform_package_beside_it(bundler: str, tmp_path: Path, url: str, registry: str) -> None:
    packages, command, configuration = BUNDLERS[bundler]
    program = Program(tmp_path, url, registry)
    program.install("assemblage", *packages)
    if configuration:
        name = "rollup.config.mjs" if bundler == "rollup" else "webpack.config.js"
        (program.folder / name).write_text(configuration)
    program.tool(*command)
    alone = tmp_path / "alone"
    shutil.copytree(program.folder / "out", alone)
    package = f"node_modules/assemblage-{HERE}"
    shutil.copytree(program.folder / package, alone / package)
    assert run(["node", "main.cjs"], alone, program.environment) == "added 7\ndeleted 7\n"
