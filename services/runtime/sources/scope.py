"""What an expression may name: columns of the file, lookups, and the calls that it makes of ours.

A call of `amount`, `day` or a lookup is worked out once per row and kept as a column of its own,
however often it is written, so that what it gave can be asked for again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.sources.faults import nearest, quoted
from contracts.sources.model import Lookup
from services.runtime.csv_files.header import BYTE_ORDER_MARK
from services.runtime.csv_files.texts import plain_text
from services.runtime.sources.syntax import BadExpression
from services.runtime.sources.values import Size, Value

MAX_CALL_DEPTH = 6


@dataclass(frozen=True)
class Call:
    """One call of ours. `argument` and `result` are SQL, `result` over the column `a<number>`.

    It gives the column `m<number>`, and `f<number>`: its number where a value gave nothing.

    `columns` are the file's columns that it reads; `gives` is what messages say that it gave none
    of; `lookup` is the file that it looks into.
    """

    number: int
    gives: str
    columns: tuple[str, ...]
    argument: str
    result: str
    level: int
    lookup: str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a header, or of no header yet: then every name is a column."""

    names: tuple[str, ...] | None

    def find(self, name: str) -> int | None:
        """Where a column stands: as it is written, else without case; None: nowhere.

        Raises DoubledColumn when it stands more than once.
        """
        names = self.names or ()
        wanted = compared(name)
        for exact in (True, False):
            places = [
                place
                for place, each in enumerate(names)
                if (each == wanted if exact else each.casefold() == wanted.casefold())
            ]
            if len(places) > 1:
                raise DoubledColumn(name)
            if places:
                return places[0]
        return None


class UnknownColumn(BadExpression):
    """No column of the header is called so; `name` is what the expression says."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        guess = nearest(name, names)
        meant = f"; did you mean {quoted(guess)}?" if guess else ""
        super().__init__(f"there is no column {quoted(name)}{meant}")
        self.name = name


class DoubledColumn(BadExpression):
    """Several columns of the header are called so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"column {quoted(name)} stands in the header more than once")
        self.name = name


def compared(name: str) -> str:
    """The name of a column as it is compared: in NFC, without spaces or marks around it."""
    return plain_text(name.lstrip(BYTE_ORDER_MARK))


class Scope:
    """Names and calls of one source over one header; `used`: the places of the columns it needs."""

    def __init__(self, columns: Columns, lookups: dict[str, Lookup]) -> None:
        self._columns = columns
        self.lookups = lookups
        self.calls: list[Call] = []
        self.used: dict[str, int] = {}
        self.absent: Counter[str] = Counter()

    def column(self, name: str, *, may_lack: bool = False) -> Value:
        """A column's text; raises UnknownColumn or DoubledColumn."""
        place = self._columns.find(name)
        if place is None and self._columns.names is not None:
            if not may_lack:
                raise UnknownColumn(name, [each for each in self._columns.names if each])
            self.absent[name] += 1
            return Value("CAST(NULL AS VARCHAR)", "text")
        place = self.used.setdefault(name, len(self.used)) if place is None else place
        title = self._columns.names[place] if self._columns.names else name
        self.used[title] = place
        return Value(f"c{place}", "text", frozenset([title]), Size(1))

    def call(self, gives: str, argument: Value, result: str, lookup: str | None = None) -> Call:
        """A call, the same one when it was made before; `result` has the argument as `{}`."""
        level = argument.level + 1
        if level > MAX_CALL_DEPTH:
            raise BadExpression("calls stand within calls too deep; write it shorter")
        for call in self.calls:
            same = call.argument == argument.sql and call.lookup == lookup
            if same and call.result == result.replace("{}", f"a{call.number}"):
                return call
        number = len(self.calls)
        call = Call(
            number,
            gives,
            tuple(sorted(argument.columns)),
            argument.sql,
            result.replace("{}", f"a{number}"),
            level,
            lookup,
        )
        self.calls.append(call)
        return call
