"""How rows fit a width without a number, date, id or key being cut; not what they say.

As a table while every cell fits; a column of sentences may take several lines, broken at spaces
only. Where that is too wide, without lines between the columns; at last each row as a block of
names and values. Nothing is left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.box import HEAVY_HEAD, Box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SENTENCES = frozenset(
    {
        "because of",
        "for whom",
        "meaning",
        "reason",
        "said",
        "since then",
        "tried again because",
        "what breaks",
        "what happened",
        "what is wrong",
        "why",
    }
)
"""Columns that hold sentences, by their header; every other cell stays in one piece."""
READABLE = 24
"""Columns; in fewer a sentence is no longer read."""


@dataclass(frozen=True)
class Column:
    """The cells of a column, and how wide it wants to be and must be."""

    header: str
    cells: Sequence[str]
    is_numeric: bool

    @property
    def is_prose(self) -> bool:
        """Whether its cells may be broken at spaces."""
        return self.header in SENTENCES

    @property
    def full(self) -> int:
        """With this nothing in it takes a second line."""
        return max(map(cell_len, (self.header, *self.cells)))

    @property
    def least(self) -> int:
        """With less, something in it would be cut."""
        pieces = (piece for cell in self.cells for piece in cell.split())
        longest = max(map(cell_len, pieces if self.is_prose else self.cells), default=0)
        needed = max(longest, *map(cell_len, _pieces(self.header)))
        return max(needed, min(READABLE, self.full)) if self.is_prose else needed


def table(columns: Sequence[Column], width: int, *, framed: bool = True) -> RenderableType:
    """The rows in the first form that fits the width; cells are printable text.

    `framed`: lines between columns where they fit; where no terminal bounds the width, they would
    be as long as the longest sentence.
    """
    forms = ((HEAVY_HEAD, 3, 4), (None, 2, 0))
    for box, between, around in forms if framed else forms[1:]:
        widths = share(columns, width - between * (len(columns) - 1) - around)
        if widths is not None:
            return _grid(columns, widths, box)
    return Group(*_blocks(columns, width))


def share(columns: Sequence[Column], room: int) -> list[int] | None:
    """How wide each column gets; None when something would be cut."""
    full = [column.full for column in columns]
    if sum(full) <= room:
        return full
    widths = [column.least for column in columns]
    left = room - sum(widths)
    if left < 0:
        return None
    for _ in range(left):
        at = max(range(len(widths)), key=lambda each: full[each] - widths[each])
        widths[at] += 1
    return widths


def _grid(columns: Sequence[Column], widths: Sequence[int], box: Box | None) -> Table:
    padding = (0, 1) if box else (0, 2, 0, 0)
    grid = Table(box=box, padding=padding, pad_edge=bool(box), header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(
            Text("\n".join(_filled(_pieces(column.header), width))),
            width=width,
            justify="right" if column.is_numeric else "left",
            no_wrap=not column.is_prose,
        )
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*map(Text, row))
    return grid


def _blocks(columns: Sequence[Column], width: int) -> Iterable[Text]:
    """`name  value` for each cell, a row after the other; a long sentence goes on below itself."""
    names = max(cell_len(column.header) for column in columns)
    room = max(width - names - 2, READABLE)
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if number:
            yield Text("")
        for column, cell in zip(columns, row, strict=True):
            spaced = [f"{word} " for word in cell.split()]
            lines = _filled(spaced, room) if column.is_prose and spaced else [cell]
            for name, line in zip_longest([column.header], lines, fillvalue=""):
                said = Text(name.ljust(names + 2), style="bold", no_wrap=True, overflow="ignore")
                yield said.append(line.rstrip(), style="not bold")


def _pieces(header: str) -> list[str]:
    """Where a header may be broken: after a space or an underscore."""
    return header.replace(" ", " \0").replace("_", "_\0").split("\0")


def _filled(pieces: Sequence[str], width: int) -> list[str]:
    """Pieces put together to lines of at most so many columns."""
    lines = [""]
    for piece in pieces:
        if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]
