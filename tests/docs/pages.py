"""The Markdown pages that users read: their code blocks, headings and links."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]

#: Languages whose blocks are run or compiled.
CODE = frozenset({"c", "js", "python", "rust", "sh", "ts"})
#: Languages whose blocks are diagrams or data.
DATA = frozenset({"mermaid", "text"})
#: Languages whose blocks are a part of a file that another test reads or runs.
FILES = frozenset({"dockerfile", "ini", "sql"})

_COMMENT = re.compile(r"<!-- test\b(.*?)-->", re.DOTALL)
_FLAGS = frozenset({"continues"})
_KEYS = frozenset({"file", "setup", "prints", "logs", "interrupt-after", "compile-only", "not-run"})


def pages() -> list[Path]:
    """Every page of the documentation, and the READMEs of the project and of the packages."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "bindings" / "python" / "README.md",
        ROOT / "bindings" / "node" / "README.md",
    ]


def name_of(page: Path) -> str:
    """Its path below the root."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block, and how it is tested: by the HTML comment `<!-- test … -->` directly before it."""

    page: Path
    #: Of the fence, from 1.
    line: int
    language: str
    code: str
    #: The name of a file in `setups`, without its suffix; the code takes the place of the line BLOCK.
    setup: str = ""
    #: One program with the block of this language before it.
    continues: bool = False
    #: Texts that the program prints.
    prints: tuple[str, ...] = ()
    #: Texts that it writes to stderr, which is empty otherwise.
    logs: tuple[str, ...] = ()
    #: Once it has printed this, it gets a SIGINT, by which it ends.
    interrupt_after: str = ""
    #: The file, below the root, of which it is a part; a test of its own runs that file.
    file: str = ""
    #: Why it is only compiled.
    compile_only: str = ""
    #: Why it is neither run nor compiled.
    not_run: str = ""
    #: What is wrong with the block or its comment.
    problems: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


@dataclass(frozen=True)
class Table:
    """A table, below the heading `section`; its cells as Markdown."""

    section: str
    header: list[str]
    rows: list[list[str]]

    def column(self, name: str) -> list[str]:
        """The cells below a heading."""
        return [row[self.header.index(name)] for row in self.rows]


@dataclass
class Page:
    """A page, parsed."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    #: Of its headings, as GitHub makes them.
    anchors: set[str] = field(default_factory=set)
    #: Targets of its links, with their lines.
    links: list[tuple[int, str]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def table(self, section: str) -> Table:
        """The first one of a section."""
        return next(table for table in self.tables if table.section == section)


@cache
def parsed(path: Path) -> Page:
    page = Page(path)
    section, cells = "", [[""]]
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text("utf-8"))
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index > 0 else None
        if token.type == "fence":
            page.blocks.append(_block(path, token, before))
        elif token.type == "code_block":
            problem = "an indented block; fence it and name its language"
            page.blocks.append(Block(path, _line(token), "", token.content, problems=(problem,)))
        elif token.type == "heading_open":
            section = tokens[index + 1].content
            page.anchors.add(_anchor(tokens[index + 1], page.anchors))
        elif token.type == "table_open":
            cells = []
        elif token.type == "tr_open":
            cells.append([])
        elif token.type == "table_close":
            page.tables.append(Table(section, cells[0], cells[1:]))
        elif token.type == "inline":
            cells[-1].append(token.content)
            page.links += [(_line(token), target) for target in _links(token)]
    return page


def _line(token: Token) -> int:
    return (token.map or [0])[0] + 1


def _block(path: Path, token: Token, before: Token | None) -> Block:
    language = token.info.strip()
    problems: list[str] = []
    if language not in CODE | DATA | FILES:
        problems.append(f"its language is {language!r}, none of {', '.join(sorted(CODE | DATA | FILES))}")
    found: dict[str, list[str]] = {}
    comment = _COMMENT.fullmatch(before.content.strip()) if before is not None and before.type == "html_block" else None
    for line in comment[1].strip().splitlines() if comment else []:
        key, colon, value = (part.strip() for part in line.partition(":"))
        if (key in _FLAGS and not colon) or (key in _KEYS and value):
            found.setdefault(key, []).append(value)
        else:
            problems.append(f"its comment has {line!r}")

    def one(key: str) -> str:
        values = found.get(key, [])
        if len(values) > 1:
            problems.append(f"its comment has {key} twice")
        return values[0] if values else ""

    if language in FILES and "file" not in found:
        problems.append(f"a block of {language} names its file")
    if file := one("file"):
        source = ROOT / file
        if not source.is_file():
            problems.append(f"there is no {file}")
        elif token.content not in source.read_text("utf-8"):
            problems.append(f"it is not in {file} as it stands")
    block = Block(
        path,
        _line(token),
        language,
        token.content,
        setup=one("setup"),
        continues="continues" in found,
        prints=tuple(found.get("prints", [])),
        logs=tuple(found.get("logs", [])),
        interrupt_after=one("interrupt-after"),
        file=file,
        compile_only=one("compile-only"),
        not_run=one("not-run"),
    )
    return Block(**{**block.__dict__, "problems": tuple(problems)})


def _anchor(heading: Token, taken: set[str]) -> str:
    """The anchor of a heading; the second of the same text ends in -1."""
    text = "".join(child.content for child in heading.children or [] if child.type in ("text", "code_inline"))
    anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
    count = 0
    while (anchor if count == 0 else f"{anchor}-{count}") in taken:
        count += 1
    return anchor if count == 0 else f"{anchor}-{count}"


def _links(inline: Token) -> list[str]:
    return [
        str(child.attrs["href" if child.type == "link_open" else "src"])
        for child in inline.children or []
        if child.type in ("link_open", "image")
    ]
