#!/usr/bin/env python3
"""Checks the layers of the Rust crates: no module imports from a layer above its own, and no files import each other in a circle.

A layer is a folder or file of `src`. Tests are exempt. Exit 1 with a line for each import that breaks a rule.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Per crate, its layers from the lowest to the highest. Layers of one row may not import each other.
LAYERS: dict[str, list[list[str]]] = {
    "core": [
        ["util", "log"],
        ["model"],
        ["config"],
        ["store"],
        ["member"],
        ["messaging"],
        ["adding"],
        ["master", "worker"],
        ["api"],
        ["testing"],
    ],
}
#: Crates whose files may not import each other in a circle, but have no named layers.
ACYCLIC = ["core/common", "supervisor", "bindings/host", "ffi", "bindings/python", "bindings/node", "cli"]
#: Not part of the layers.
EXEMPT = {"lib", "tests"}

USE = re.compile(r"\b(crate|super(?:::super)*)::((?:\w+::)*(?:\w+|\{))", re.S)
TEST_MODULE = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*mod \w+ \{.*", re.S)


def code_of(path: Path) -> str:
    """The text of a file without its test module and comments."""
    text = TEST_MODULE.sub("", path.read_text())
    return re.sub(r"//[^\n]*", "", text)


def names_after(text: str, end: int) -> list[str]:
    """The first names in the braces that begin at `end - 1`."""
    depth, names, current = 1, [], ""
    for letter in text[end:]:
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
            if depth == 0:
                break
        elif letter == "," and depth == 1:
            names.append(current)
            current = ""
            continue
        if depth == 1:
            current += letter
    return [name.strip().split("::")[0].split(" ")[0] for name in [*names, current] if name.strip()]


def module_of(path: Path, src: Path) -> tuple[str, ...]:
    """The module of a file, as the parts of its path."""
    parts = path.relative_to(src).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def imports_of(path: Path, src: Path) -> set[tuple[str, ...]]:
    """The modules that a file names, each as the parts of its path below the crate."""
    text, own, found = code_of(path), module_of(path, src), set()
    for match in USE.finditer(text):
        head, rest = match.group(1), match.group(2)
        base: tuple[str, ...] = () if head == "crate" else own[: len(own) - head.count("super")]
        parts = [part for part in rest.split("::") if part]
        if parts[-1] == "{":
            stem = tuple(parts[:-1])
            found.update(base + stem + (name,) for name in names_after(text, match.end()))
        else:
            found.add(base + tuple(parts))
    return found


def layer_faults(crate: str, layers: list[list[str]]) -> list[str]:
    """The imports of a crate that point up, or to the side between layers of one row."""
    src = ROOT / crate / "src"
    rank = {name: index for index, row in enumerate(layers) for name in row}
    faults = []
    for path in sorted(src.rglob("*.rs")):
        own = path.relative_to(src).with_suffix("").parts[0]
        if own in EXEMPT:
            continue
        if own not in rank:
            faults.append(f"{path.relative_to(ROOT)}: `{own}` is in no layer; add it to scripts/check_layers.py")
            continue
        for target in imports_of(path, src):
            other = target[0] if target else ""
            if other in rank and other != own and rank[other] >= rank[own]:
                faults.append(f"{path.relative_to(ROOT)}: imports {'::'.join(target)}, and `{other}` is not below `{own}`")
    return faults


def circles(crate: str) -> list[str]:
    """The circles among the files of a crate. A `mod.rs` is left out: the files of its folder may use what it declares."""
    src = ROOT / crate / "src"
    files = {module_of(path, src): path for path in src.rglob("*.rs") if path.name not in ("lib.rs", "mod.rs")}
    files = {module: path for module, path in files.items() if module[0] not in EXEMPT}
    edges: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for module, path in files.items():
        targets = set()
        for target in imports_of(path, src):
            known = next((target[:n] for n in range(len(target), 0, -1) if target[:n] in files), None)
            if known and known != module:
                targets.add(known)
        edges[module] = targets
    faults, done = [], set()

    def visit(module: tuple[str, ...], way: list[tuple[str, ...]]) -> None:
        if module in way:
            circle = way[way.index(module) :]
            names = " -> ".join("::".join(part) for part in [*circle, module])
            if frozenset(circle) not in done:
                done.add(frozenset(circle))
                faults.append(f"{crate}: a circle of imports: {names}")
            return
        if module in finished:
            return
        for other in sorted(edges[module]):
            visit(other, [*way, module])
        finished.add(module)

    finished: set[tuple[str, ...]] = set()
    for module in sorted(edges):
        visit(module, [])
    return faults


def main() -> int:
    faults = [fault for crate, layers in LAYERS.items() for fault in layer_faults(crate, layers)]
    faults += [fault for crate in [*LAYERS, *ACYCLIC] for fault in circles(crate)]
    print("\n".join(faults) or "layers: no import points up, no circle", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
