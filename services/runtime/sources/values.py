"""A value of an expression, once it is known what it is: its SQL, its type, and what it reads."""

from dataclasses import dataclass, field
from typing import Literal

Type = Literal["text", "number", "boolean", "nothing"]
"""`number` is DECIMAL(38,10), always; `nothing` is a bare NULL, which goes with every type."""

NUMBER = "DECIMAL(38,10)"
NARROW = "b"
"""`b<number>` is the number that `m<number>` is: in narrow columns where all such factors fit."""
MAX_TIMES = 16
MAX_PLUS = 10_000


@dataclass(frozen=True)
class Size:
    """How long a text may become: `times` as long as the longest cell of its row, and `plus`."""

    times: int = 0
    plus: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.times + other.times, self.plus + other.plus)

    def __or__(self, other: "Size") -> "Size":
        return Size(max(self.times, other.times), max(self.plus, other.plus))

    def replaced(self, times: int, plus: int) -> "Size":
        """Each character becoming `times` as many, and `plus` of them added."""
        return Size(self.times * times, self.plus * times + plus)

    @property
    def is_too_large(self) -> bool:
        """Whether texts like this could fill the memory."""
        return self.times > MAX_TIMES or self.plus > MAX_PLUS


@dataclass(frozen=True)
class Value:
    """`columns`: the file's columns that it reads; `literal`: its text where it is a constant.

    `failure` is SQL that is the number of the call that had a value and gave none, or NULL; None
    where nothing can fail. `operands` are those of an arithmetic expression, whose overflow is
    looked for once, around the whole of it. `level`: how deep calls are nested in it.
    """

    sql: str
    type: Type
    columns: frozenset[str] = frozenset()
    size: Size = field(default_factory=Size)
    literal: str | None = None
    failure: str | None = None
    operands: tuple[str, ...] = ()
    level: int = 0


def text_literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def name_in_sql(text: str) -> str:
    """A name as SQL."""
    return '"' + text.replace('"', '""') + '"'


def number_text(sql: str) -> str:
    """The digits of a number without zeros at the end: 12.5, 100, 0."""
    return f"rtrim(rtrim(CAST({sql} AS VARCHAR), '0'), '.')"


def first_failure(*failures: str | None) -> str | None:
    """The first that is not NULL."""
    there = [failure for failure in failures if failure]
    if len(there) < 2:
        return there[0] if there else None
    return f"coalesce({', '.join(there)})"
