"""What the packages are made of: the crates of others that are linked into them, their licences, and a bill of materials."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain import ROOT

_SHIPPED = ("libswarm-ffi", "libswarm-python", "libswarm-node", "libswarm-cli")
_LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)", re.IGNORECASE)


@dataclass(frozen=True)
class Crate:
    name: str
    version: str
    #: An SPDX expression.
    licence: str
    address: str
    authors: tuple[str, ...]
    folder: Path
    #: None for those of this project.
    checksum: str | None
    needs: tuple[str, ...]

    @property
    def purl(self) -> str:
        return f"pkg:cargo/{self.name}@{self.version}"


def linked(triples: list[str]) -> list[Crate]:
    """All crates that are linked into what is shipped for these targets, this project's too, by name and version."""
    filters = [part for triple in triples for part in ("--filter-platform", triple)]
    command = ["cargo", "metadata", "--format-version", "1", "--locked", *filters]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    packages: dict[str, dict[str, Any]] = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    sums = _checksums()

    def needs(of: str) -> list[str]:
        # Neither what builds nor what tests.
        return [each["pkg"] for each in nodes[of]["deps"] if any(kind["kind"] is None for kind in each["dep_kinds"])]

    found: set[str] = set()
    left = [each for each in metadata["workspace_members"] if packages[each]["name"] in _SHIPPED]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left.extend(needs(each))

    def crate(of: str) -> Crate:
        package = packages[of]
        return Crate(
            name=package["name"],
            version=package["version"],
            licence=_expression(package["license"]),
            address=package["repository"] or f"the crate {package['name']}",
            authors=tuple(package["authors"]),
            folder=Path(package["manifest_path"]).parent,
            checksum=sums.get((package["name"], package["version"])) if package["source"] else None,
            needs=tuple(sorted(f"pkg:cargo/{packages[need]['name']}@{packages[need]['version']}" for need in needs(of))),
        )

    return sorted((crate(each) for each in found), key=lambda crate: (crate.name, crate.version))


def _expression(licence: str | None) -> str:
    if licence is None:
        raise SystemExit("package: a crate has no licence expression")
    # The old form of `OR`.
    return re.sub(r"\s*/\s*", " OR ", licence)


def _checksums() -> dict[tuple[str, str], str]:
    blocks = (ROOT / "Cargo.lock").read_text().split("[[package]]")
    found = {}
    for block in blocks:
        fields = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.MULTILINE))
        if "checksum" in fields:
            found[fields["name"], fields["version"]] = fields["checksum"]
    return found


def third_party(crates: list[Crate]) -> str:
    """The text of THIRD_PARTY.txt: each foreign crate with its licence, and each licence text once."""
    users: dict[str, list[str]] = defaultdict(list)
    lines = []
    for crate in crates:
        if crate.checksum is None:
            continue
        label = f"{crate.name} {crate.version}"
        lines.append(f"{label}: {crate.licence}\n  {crate.address}")
        texts = [path for path in sorted(crate.folder.iterdir()) if path.is_file() and _LICENCE_FILE.match(path.name)]
        for path in texts:
            users[path.read_text(errors="replace").strip().replace("\r\n", "\n")].append(label)
        if not texts:
            users[
                f"{crate.licence}, by {', '.join(crate.authors) or 'its authors'}; the crate has no file with the text."
            ].append(label)
    users[(ROOT / "cli" / "assets" / "uplot.LICENSE").read_text().strip()].append("uPlot (charts of the dashboard)")
    rust = "Rust's standard library: MIT OR Apache-2.0\n  https://github.com/rust-lang/rust"
    head = "Parts of others in the programs and libraries of libswarm, and their licences."
    body = "\n\n".join(f"{'=' * 100}\n{', '.join(sorted(set(names)))}\n{'=' * 100}\n\n{text}" for text, names in users.items())
    return "\n".join([head, "", *lines, rust, "", body, ""])


def bill_of_materials(crates: list[Crate], version: str) -> str:
    """The same crates as CycloneDX 1.5 in JSON. It depends on the sources only, not on time or machine."""
    root = f"pkg:generic/libswarm@{version}"

    def component(crate: Crate) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": "library",
            "bom-ref": crate.purl,
            "name": crate.name,
            "version": crate.version,
            "purl": crate.purl,
            "licenses": [{"expression": crate.licence}],
        }
        if crate.checksum is not None:
            result["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
        return result

    own = sorted(crate.purl for crate in crates if crate.name in _SHIPPED)
    contents: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": root,
                "name": "libswarm",
                "version": version,
                "purl": root,
                "licenses": [{"expression": "MIT"}],
            }
        },
        "components": [component(crate) for crate in crates],
        "dependencies": [
            {"ref": root, "dependsOn": own},
            *({"ref": crate.purl, "dependsOn": list(crate.needs)} for crate in crates),
        ],
    }
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    contents["serialNumber"] = f"urn:uuid:{uuid.UUID(digest[:32], version=4)}"
    return json.dumps(contents, indent=2) + "\n"
