"""Nothing that a page or a docstring refers to is missing: files, headings of the design, words."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.contract.declared import PROJECT
from tests.contract.test_docs import each_document, headings

DESIGN = PROJECT / "docs/design.md"
GLOSSARY = PROJECT / "docs/glossary.md"
_ROOMS = ("contracts", "services", "infra", "tests", "docs", "changelog.d", ".github", ".ci")
_PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(map(re.escape, _ROOMS))})/[\w.*<>/-]*[\w*]")
_SOURCE = re.compile(r"`([\w./*-]+\.(?:py|sql))`")
_CITED = re.compile(r"docs/design\.md,[\s#*]+([A-Z].{0,40})", re.DOTALL)
_PLAIN_TEXTS = (".py", ".json", ".yaml", ".yml", ".toml", ".md", ".sql")


def texts() -> Iterator[tuple[str, str]]:
    """Name and content of every text of ours; released copies are left alone."""
    for room in _ROOMS:
        for path in sorted(PROJECT.glob(f"{room}/**/*")):
            name = path.relative_to(PROJECT).as_posix()
            if path.suffix in _PLAIN_TEXTS and not name.startswith("contracts/released/"):
                yield name, path.read_text()


@cache
def file_names() -> frozenset[str]:
    """The bare names of all source files."""
    paths = (path for room in _ROOMS for path in PROJECT.glob(f"{room}/**/*"))
    return frozenset(path.name for path in paths)


def is_there(named: str, beside: Path) -> bool:
    """Whether a path, in which `*` and `<kind>` stand for anything, is in the project or beside."""
    pattern = re.sub(r"<\w*>?", "*", named).rstrip("/")
    return any(True for root in (PROJECT, beside) for _ in root.glob(pattern))


@each_document
def test_every_file_that_is_named_is_there(document: Path) -> None:
    text = document.read_text()
    missing = [named for named in _PATH.findall(text) if not is_there(named, document.parent)]
    for named in _SOURCE.findall(text):
        if "/" not in named and "*" not in named:
            missing += [named] * (named not in file_names())
        elif not is_there(named, document.parent):
            missing.append(named)
    assert missing == []


def cited() -> list[tuple[str, str]]:
    """Who cites the design, and the words after the comma on one line."""
    return [
        (name, " ".join(re.sub(r"\n[\s#*]*", " ", words).split()))
        for name, text in texts()
        for words in _CITED.findall(text)
    ]


def test_every_heading_of_the_design_that_is_cited_is_there() -> None:
    known = re.compile(rf"({'|'.join(map(re.escape, headings(DESIGN)))})\b")
    citations = cited()
    assert len(citations) > 30
    assert [(name, words) for name, words in citations if not known.match(words)] == []


def test_the_design_is_cited_by_heading_alone() -> None:
    vague = re.compile(r"docs/design\.md(?!,)|\bDESIGN \d")
    own = Path(__file__).relative_to(PROJECT).as_posix()
    assert [name for name, text in texts() if name != own and vague.search(text)] == []


def test_the_index_has_every_page() -> None:
    index = (PROJECT / "docs/README.md").read_text()
    pages = [
        path.relative_to(PROJECT / "docs").as_posix()
        for path in sorted(PROJECT.glob("docs/**/*"))
        if path.suffix in (".md", ".yaml") and path.name != "README.md"
    ]
    named = [page for page in pages if page in index]
    assert named == pages


def glossary() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", GLOSSARY.read_text(), re.MULTILINE)
    return rows[1:]


def test_the_glossary_is_short_and_sorted() -> None:
    words = [word for word, _ in glossary()]
    assert 20 < len(words) <= 60
    assert words == sorted(words)


def test_every_word_of_the_glossary_is_spoken() -> None:
    """In code or docs; a word that nobody says needs no explanation."""
    spoken = "\n".join(text.lower() for name, text in texts() if name != "docs/glossary.md")
    words = {word.lower() for entry, _ in glossary() for word in entry.split(", ")}
    unspoken = {word for word in words if not re.search(re.sub(r"[ _]", "[ _-]?", word), spoken)}
    assert unspoken == set()
