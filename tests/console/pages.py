"""A page as a browser without script has it: elements, links, tables, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

VOID = {"meta", "link", "input", "br", "img", "hr"}


@dataclass
class Element:
    """A tag with what it has and holds."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str | None = None, **wanted: str) -> Iterator["Element"]:
        """Itself and all below it, of a tag, with these attributes."""
        names = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        if tag in (None, self.tag) and all(
            self.attributes.get(name) == value for name, value in names.items()
        ):
            yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all(tag, **wanted)

    def one(self, tag: str | None = None, **wanted: str) -> "Element":
        """The only one."""
        [found] = self.all(tag, **wanted)
        return found

    @property
    def text(self) -> str:
        """What is read, with its spaces made one."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document", {})
        self._open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(made)
        if tag not in VOID:
            self._open = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.tag == tag, f"</{tag}> closes <{self._open.tag}>"
        assert self._open.parent is not None
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


def read(text: str) -> Element:
    """The page; every tag of it is closed where it was opened."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.root.tag == "document"
    return reader.root


def addresses(page: Element, own: str) -> set[str]:
    """Whatever a page leads to or loads, as the server is asked for it by GET."""
    found = set()
    for name in ("href", "src", "action"):
        for one in page.all():
            if one.attributes.get("method") == "post":
                continue
            if name in one.attributes and not one.attributes[name].startswith("#"):
                found.add(urljoin(own, one.attributes[name]))
    return found


def asked(address: str) -> tuple[str, dict[str, str]]:
    """An address as path and parameters."""
    parts = urlsplit(address)
    return parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))


def rows(table: Element) -> list[list[str]]:
    """The cells of a table's body."""
    body = table.one("tbody")
    return [
        [cell.text for cell in row.children if isinstance(cell, Element)] for row in body.all("tr")
    ]
