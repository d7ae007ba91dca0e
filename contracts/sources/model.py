"""A source as frozen values; every expression knows the line and the key that it stands under."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Rows = Literal["order_lines", "orders", "products"]
Kind = Literal["orders", "order_items", "products"]
ROW_KINDS: dict[Rows, Kind] = {
    "order_lines": "order_items",
    "orders": "orders",
    "products": "products",
}
"""The kind that rows of each sort must give; only order lines may give others beside it."""
Encoding = Literal["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"]
Quoting = Literal["doubled", "backslash", "none"]


@dataclass(frozen=True)
class Expression:
    """A DuckDB scalar expression over the file's columns as text."""

    text: str
    line: int
    key: str


@dataclass(frozen=True)
class FileFormat:
    """How the bytes are read; `delimiter` is the character itself, `missing` are trimmed texts."""

    delimiter: str = ","
    encoding: Encoding = "utf-8"
    quoting: Quoting = "doubled"
    decimal: str = "."
    thousands: str = ""
    skip_lines: int = 0
    missing: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class CarriedDown:
    """Columns that stand only on the first row of a group; `line` is where they are named."""

    within: Expression
    columns: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Explode:
    """How one row holds several order lines; `line` is where the document says it.

    Either the cells of `columns` hold one part for each line, between separators; or there are
    columns for each line, as `numbered` names them with `{n}` for the number (no `separator`).
    """

    columns: tuple[str, ...]
    separator: str
    numbered: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Mapping:
    """What a row says of one kind: an expression for each column, and for which rows it does.

    `leave_out`: why a row that says something gives no row of this kind all the same, by reason.
    """

    kind: Kind
    columns: dict[str, Expression]
    where: Expression | None
    leave_out: dict[str, Expression]


@dataclass(frozen=True)
class Lookup:
    """A file beside the source's: what stands in column `value` where `key` is the key.

    Without `value` it says only whether a key is there.
    """

    name: str
    key: str
    value: str | None
    line: int


@dataclass(frozen=True)
class Source:
    """One shape of file. `name_of_document` is what messages call the YAML.

    `headers` are whole headers of the export as they are known; by them a file is told.
    """

    name: str
    version: int
    title: str
    rows: Rows
    file: FileFormat
    carried_down: CarriedDown | None
    leave_out: dict[str, Expression]
    mappings: tuple[Mapping, ...]
    lookups: dict[str, Lookup]
    name_of_document: str
    explode: Explode | None = None
    headers: tuple[tuple[str, ...], ...] = ()

    @property
    def label(self) -> str:
        """`shopify-orders v1`, as messages and reports name it."""
        return f"{self.name} v{self.version}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that its files may give."""
        return tuple(mapping.kind for mapping in self.mappings)

    @property
    def row_kind(self) -> Kind:
        """What one row of its files is: the kind of the file."""
        return ROW_KINDS[self.rows]

    def mapping(self, kind: Kind) -> Mapping | None:
        """What a row says of a kind; None where it says nothing."""
        return next((each for each in self.mappings if each.kind == kind), None)

    def expressions(self) -> Iterator[Expression]:
        """Every expression, as they stand in the document's order of kinds."""
        if self.carried_down:
            yield self.carried_down.within
        yield from self.leave_out.values()
        for mapping in self.mappings:
            if mapping.where:
                yield mapping.where
            yield from mapping.leave_out.values()
            yield from mapping.columns.values()
