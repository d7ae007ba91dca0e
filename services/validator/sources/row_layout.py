"""What a row of a source's file looks like, to tell a stray quote from a text of several lines."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.runtime.csv_files.header import Header
from services.runtime.sources.compiled import CompiledSource

_WITH_DIGITS = ("order_date", "total_amount", "quantity")
_REQUIRED = ("order_id", "product_id", *_WITH_DIGITS)


@dataclass(frozen=True)
class RowLayout:
    """What tells rows of a source's file from prose in quotes: cells where a value must come of."""

    width: int
    spare: int
    delimiter: str
    filled: tuple[tuple[int, ...], ...]
    with_digits: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, compiled: CompiledSource, header: Header) -> "RowLayout":
        """By what the source makes of the columns."""
        [own] = [kind for kind in compiled.kinds if kind.kind == compiled.source.row_kind]
        places = {
            output.column: found
            for output in own.outputs
            if (found := _places(output.columns, compiled, header))
        }
        filled = tuple(places[column] for column in _REQUIRED if column in places)
        digits = tuple(places[column] for column in _WITH_DIGITS if column in places)
        return cls(header.width, header.spare, header.delimiter, filled, digits)

    def is_healthy_row(self, fields: Sequence[str]) -> bool:
        """Whether these fields look like a row."""
        return (
            len(fields) == self.width
            and all(any(fields[place] for place in places) for places in self.filled)
            and all(
                any(each.isdecimal() for place in places for each in fields[place])
                for places in self.with_digits
            )
        )

    def may_hold(self, _position: int, _value: str) -> bool:
        """A column may hold any text."""
        return True

    def any_text_up_to(self, _position: int) -> int:
        """However long."""
        return sys.maxsize


def _places(names: Iterable[str], compiled: CompiledSource, header: Header) -> tuple[int, ...]:
    """Where columns stand in the file; numbered ones (lines_apart.py) may all be empty."""
    found = sorted(compiled.used[name] for name in names)
    return tuple(found) if found and found[-1] < header.width else ()
