"""A source over the header of a file, as data: which column is where, and the SQL of each value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.errors import DataRejected
from contracts.sources.faults import quoted
from contracts.sources.model import Kind, Source
from services.runtime.sources.scope import Call
from services.runtime.sources.values import Value

_NAMED = 20


@dataclass(frozen=True)
class ColumnFault:
    """A column that a source needs and a header lacks (`doubled`: has more than once)."""

    name: str
    key: str
    line: int
    message: str
    doubled: bool


class InvalidHeader(DataRejected):
    """A header does not have what the source needs; `faults` name each column once."""

    def __init__(
        self, source: Source, faults: Sequence[ColumnFault], header: Sequence[str] = ()
    ) -> None:
        self.faults = tuple(faults)
        names = [quoted(name) for name in header if name]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        needs = "it" if len(faults) == 1 else "them"
        super().__init__(
            "; ".join(fault.message for fault in faults)
            + (f"; the file has {', '.join(names[:_NAMED])}{more}" if names else "")
            + f" (source {source.label} needs {needs}; columns are bound by name)"
        )


Form = Literal["text", "cell", "number", "cents"]


@dataclass(frozen=True)
class Output:
    """One column of one kind as SQL; `failure` as in Value.

    The SQL gives its `form`: a text, a cell as it stands (an empty one is no value), or a NUMBER
    whose text it is, as it is or in cents.
    """

    column: str
    sql: str
    failure: str | None
    columns: frozenset[str]
    form: Form = "text"


@dataclass(frozen=True)
class KindOutput:
    """What a row gives of a kind. `where`: None gives it for every row, but for `leave_out`."""

    kind: Kind
    outputs: tuple[Output, ...]
    where: Value | None
    leave_out: dict[str, Value]
    order_id: str | None


@dataclass(frozen=True)
class CompiledSource:
    """`header` are the names of the file's columns, `used` their places by name as needed here.

    `unknown_columns` are those that the source does not name; `absent_columns` are optional ones
    that the header lacks. `user_columns` are those that user_id is made of.
    """

    source: Source
    header: tuple[str, ...]
    used: dict[str, int]
    unknown_columns: tuple[str, ...]
    absent_columns: tuple[str, ...]
    user_columns: tuple[str, ...]
    total_from_lines: bool
    calls: tuple[Call, ...]
    leave_out: dict[str, Value]
    kinds: tuple[KindOutput, ...]
    carried: tuple[str, tuple[int, ...]] | None
    needs_row_text: bool
    needs_position: bool
