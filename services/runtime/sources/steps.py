"""What is worked out of a block, told apart by the columns that it is made of.

Each step reads some columns and gives what depends on exactly those: so a day is read once for each
text that the column has in the block, and what depends on several columns once for each
combination. What one step gives of a call the later ones read as a column.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from services.runtime.sources import statement
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.scope import Call
from services.runtime.sources.values import NARROW

_LITERAL = re.compile(r"'(?:[^']|'')*'")
_NAME = re.compile(r"\b(?:[abcfm][0-9]+|row_text|position)\b")
_CELL = re.compile(r"c[0-9]+")
_FACTOR = re.compile(rf"('(?:[^']|'')*')|\b{NARROW}([0-9]+)\b")
POSITION = "position"
Columns = frozenset[str]


@dataclass(frozen=True)
class Step:
    """`columns` (cells, `row_text`, `position`) are those that it depends on, `reads` those of its
    table; `gives` are what its query works out, each by its SQL, in their order."""

    columns: tuple[str, ...]
    reads: tuple[str, ...]
    query: str
    gives: tuple[str, ...]

    @property
    def needs_position(self) -> bool:
        """Whether it can only run once rows have their position in the order."""
        return POSITION in self.columns


def steps_to(wanted: Iterable[str], compiled: CompiledSource) -> list[Step]:
    """The steps that give the values of some SQL over a block, in an order that they can run in."""
    return _Plan(compiled, tuple(dict.fromkeys(wanted))).steps()


class _Plan:
    def __init__(self, compiled: CompiledSource, wanted: tuple[str, ...]) -> None:
        self._calls = compiled.calls
        self._wanted = wanted
        self._of_call: dict[int, Columns] = {}

    def steps(self) -> list[Step]:
        gives: dict[Columns, list[str]] = defaultdict(list)
        for sql in self._wanted:
            if not _CELL.fullmatch(sql):
                gives[self._columns(sql)].append(sql)
        for call in self._needed:
            gives.setdefault(self._columns_of(call), [])
        for columns in [*gives]:
            for name in sorted(map(_as_result, self._read(columns, gives[columns]))):
                source = gives[self._columns(name)]
                if name not in source:
                    source.append(name)
        order = sorted(gives, key=lambda each: (POSITION in each, len(each), sorted(each)))
        return [self._step(columns, gives[columns]) for columns in order if gives[columns]]

    def _step(self, columns: Columns, gives: list[str]) -> Step:
        calls = self._own(columns, gives)
        reads = self._read(columns, gives) | self._cells(calls, gives)
        query = statement.query(calls, gives)
        if {f"{NARROW}{call.number}" for call in calls} & _names(query):
            query = _FACTOR.sub(lambda found: found[1] or f"m{found[2]}", query)
            reads = {_as_result(name) for name in reads}
        return Step(tuple(sorted(columns)), tuple(sorted(reads)), query, tuple(gives))

    @cached_property
    def _needed(self) -> list[Call]:
        """All calls that anything wanted is made of."""
        return self._behind(self._wanted)

    def _behind(self, sqls: Iterable[str]) -> list[Call]:
        found: dict[int, Call] = {}
        pending = [*sqls]
        while pending:
            for name in _names(pending.pop()):
                number = _call_of(name)
                if number is not None and number not in found:
                    found[number] = self._calls[number]
                    pending.append(self._calls[number].argument)
        return [found[number] for number in sorted(found)]

    def _own(self, columns: Columns, gives: list[str]) -> list[Call]:
        """The calls that a step makes itself: those of its columns, and of constants."""
        own = [call for call in self._needed if self._columns_of(call) == columns]
        behind = self._behind([*gives, *(call.argument for call in own)])
        constant = [call for call in behind if columns and not self._columns_of(call)]
        return [*constant, *own]

    def _read(self, columns: Columns, gives: list[str]) -> set[str]:
        """What a step takes of calls that earlier ones made."""
        own = self._own(columns, gives)
        made = {call.number for call in own}
        sqls = [*gives, *(call.argument for call in own)]
        names = frozenset().union(*map(_names, sqls))
        return {
            name for name in names if (number := _call_of(name)) is not None and number not in made
        }

    def _cells(self, calls: list[Call], gives: list[str]) -> set[str]:
        """What a step reads of the file's columns, and of those that are about the row."""
        names = frozenset().union(*map(_names, [*gives, *(call.argument for call in calls)]))
        return {name for name in names if _call_of(name) is None}

    def _columns(self, sql: str) -> Columns:
        """The columns that a value depends on."""
        found: Columns = frozenset()
        for name in _names(sql):
            number = _call_of(name)
            found |= {name} if number is None else self._columns_of(self._calls[number])
        return found

    def _columns_of(self, call: Call) -> Columns:
        if call.number not in self._of_call:
            self._of_call[call.number] = self._columns(call.argument)
        return self._of_call[call.number]


def _names(sql: str) -> set[str]:
    """The columns that SQL of ours reads; what stands in its texts is none."""
    return set(_NAME.findall(_LITERAL.sub("''", sql)))


def _call_of(name: str) -> int | None:
    """The number of the call whose argument or result a column is."""
    return int(name[1:]) if name[0] in "abfm" else None


def _as_result(name: str) -> str:
    """The column that a factor is another form of."""
    return f"m{name[1:]}" if name.startswith(NARROW) else name
