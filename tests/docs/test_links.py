"""Links inside the repository lead somewhere, and so do the pages that comments in the sources name."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from pages import ROOT, name_of, pages, parsed

# In sources and texts of the repository; a page of another project has a host before it.
_NAMED = re.compile(r"(?<![\w./-])docs/[\w/-]+\.md")


def others() -> list[Path]:
    """The READMEs of folders, which maintainers read."""
    return [*(ROOT / "tests").rglob("README.md"), ROOT / "benches" / "README.md", *(ROOT / "examples").rglob("README.md")]


def missing(page: Path, target: str) -> str | None:
    """Why a link leads nowhere."""
    place, _, anchor = unquote(target).partition("#")
    path = (page.parent / place).resolve() if place else page
    if not path.exists():
        return f"there is no {place}"
    if anchor and path.suffix == ".md" and anchor not in parsed(path).anchors:
        return f"{path.name} has no #{anchor}"
    return None


@pytest.mark.parametrize("page", [*pages(), *others()], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    inside = [(line, target) for line, target in parsed(page).links if not re.match(r"[a-z]+:", target)]
    wrong = [f"{name_of(page)}:{line}: {why}" for line, target in inside if (why := missing(page, target))]
    assert not wrong


def test_pages_named_in_the_repository_exist() -> None:
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    wrong = []
    for file in map(Path, files.stdout.splitlines()):
        if (ROOT / file).is_file():
            named = set(_NAMED.findall((ROOT / file).read_text("utf-8", "replace")))
            wrong += [f"{file} names {page}" for page in sorted(named) if not (ROOT / page).exists()]
    assert not wrong


def test_every_page_is_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in reached:
            reached.add(page)
            targets = [(page.parent / target.partition("#")[0]).resolve() for _, target in parsed(page).links]
            left += [target for target in targets if target in pages()]
    assert not set(pages()) - reached
