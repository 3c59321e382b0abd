"""The code of the READMEs, pasted as one file, runs and ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import SOON
from libswarm import Master

ROOT = Path(__file__).parents[3]


def program(readme: str, url: str) -> str:
    """All its Python, for this server."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / readme).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    text = "\n".join(blocks)
    assert "redis://localhost:6379" in text
    return text.replace("redis://localhost:6379", url)


@pytest.mark.parametrize(
    ("readme", "says"),
    [
        ("README.md", ["3", "7"]),
        ("bindings/python/README.md", ["4", "0 small a.jpg", "1 small b.jpg", "499500", "at work", "{'load': 0.5}"]),
    ],
)
def test_the_code_of_a_readme_runs_as_one_file(readme: str, says: list[str], url: str, tmp_path: Path) -> None:
    # Some may be left of a run before.
    for cluster in ("sums", "mail", "async"):
        with Master(cluster, url=url) as master:
            master.obliterate()
    file = tmp_path / "pasted.py"
    file.write_text(program(readme, url), "utf-8")
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=3 * SOON, check=False)
    assert done.returncode == 0, done.stderr
    for line in says:
        assert line in done.stdout, (done.stdout, done.stderr)
    assert "Error" not in done.stderr
