"""What a case of the corpus is, and the sheet on which one is written down line by line.

The sheet knows what each line is meant to be because it wrote it; it never reads CSV.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

COLUMNS = {
    "orders": ("order_id", "user_id", "order_date", "total_amount", "status"),
    "order_items": ("order_id", "product_id", "quantity", "unit_price"),
    "products": ("product_id", "category", "name", "price"),
}
HEALTHY_ROWS = 12
"""Rows around the polluted ones: so many that one or two bad rows do not reject the file."""

Level = Literal["file", "structure", "record", "field", "line end"]
Cells = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A polluted file and what must come of it.

    `accepted` are (line, cells) with money written out and status in lower case; `bad` are
    (line, rule). A file that is `rejected` has that rule, and its reason holds `because`.
    """

    name: str
    level: Level
    table: str
    content: bytes
    accepted: tuple[tuple[int, Cells], ...] = ()
    bad: tuple[tuple[int, str], ...] = ()
    rejected: str | None = None
    because: str = ""
    file_name: str = ""

    @property
    def path(self) -> str:
        """What the file is called."""
        return self.file_name or f"{self.table}/{self.name.replace(' ', '-')}.csv"


def healthy_cells(table: str, number: int) -> Cells:
    """The n-th healthy row."""
    if table == "orders":
        return (f"{1000 + number}", f"u{number}", "2025-07-07", f"{number}.50", "completed")
    if table == "order_items":
        return (f"{1000 + number}", f"p{number}", f"{number + 1}", "75.00")
    return (f"p{number}", "Toys", f"Bear {number}", "5.00")


class Sheet:
    """A file as it is written: each line with what it is meant to be."""

    def __init__(self, table: str = "orders", *, header: str | None = None, end: str = "\n"):
        self.table, self.end = table, end
        self.text = ""
        self.accepted: list[tuple[int, Cells]] = []
        self.bad: list[tuple[int, str]] = []
        self._line = 1
        self._number = 0
        self.other(",".join(COLUMNS[table]) if header is None else header)

    def other(self, written: str, *, end: str | None = None, lines: int = 1) -> "Sheet":
        """A line that is no row: a header, a blank line."""
        self.text += written + (self.end if end is None else end)
        self._line += lines
        return self

    def row(
        self,
        cells: Cells | None = None,
        written: str | None = None,
        *,
        end: str | None = None,
        lines: int = 1,
    ) -> "Sheet":
        """A row to be accepted with these cells, written in its own way on so many lines."""
        if cells is None:
            self._number += 1
            cells = healthy_cells(self.table, self._number)
        self.accepted.append((self._line, cells))
        return self.other(",".join(cells) if written is None else written, end=end, lines=lines)

    def broken(self, written: str, rule: str, *, end: str | None = None, lines: int = 1) -> "Sheet":
        """A row to be quarantined."""
        self.bad.append((self._line, rule))
        return self.other(written, end=end, lines=lines)

    def rows(self, count: int = HEALTHY_ROWS) -> "Sheet":
        """So many healthy rows."""
        for _ in range(count):
            self.row()
        return self

    def case(self, name: str, level: Level, *, prefix: bytes = b"", suffix: bytes = b"") -> Case:
        """The file, to be accepted but for its broken rows."""
        return Case(
            name,
            level,
            self.table,
            prefix + self.text.encode() + suffix,
            tuple(self.accepted),
            tuple(self.bad),
        )

    def rejected(self, name: str, level: Level, rule: str, because: str) -> Case:
        """The file, to be rejected."""
        return Case(name, level, self.table, self.text.encode(), rejected=rule, because=because)


def at_each_place(
    name: str, level: Level, table: str, written: str, outcome: str | Cells, lines: int = 1
) -> Iterable[Case]:
    """One polluted row as the first, in the middle, as the last, and as the last without line end.

    `outcome` is the rule it breaks, or the cells it is accepted with.
    """
    for place, before in (("first", 0), ("in the middle", 6), ("last", 12), ("at the end", 12)):
        sheet = Sheet(table).rows(before)
        end = "" if place == "at the end" else "\n"
        if isinstance(outcome, str):
            sheet.broken(written, outcome, end=end, lines=lines)
        else:
            sheet.row(outcome, written, end=end, lines=lines)
        sheet.rows(HEALTHY_ROWS - before)
        yield sheet.case(f"{name}, {place}", level)
