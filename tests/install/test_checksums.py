"""The files of a release are those that SHA256SUMS names."""

import subprocess

from packages import BUILT, package


def test_the_checksums_cover_every_file() -> None:
    sums = package("SHA256SUMS")
    subprocess.run(["sha256sum", "--quiet", "--check", sums.name], cwd=BUILT, check=True)
    named = {line.split("  ")[1] for line in sums.read_text().splitlines()}
    assert named == {path.name for path in BUILT.iterdir()} - {"SHA256SUMS"}
