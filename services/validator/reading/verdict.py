"""What is found in a file, counted while it is read, and the verdict that comes of it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol, TypeVar

import pyarrow.compute as pc

from contracts.sources.model import Kind
from services.runtime.csv_files.header import Header
from services.runtime.csv_files.row_checks import CURRENCY
from services.runtime.csv_files.rule_names import without_rules
from services.runtime.privacy.user_ids import USER_COLUMN
from services.validator.reading.duplicates import Found, Removed
from services.validator.reading.quarantined_rows import QuarantinedRow, QuarantinedRows

TOO_MANY_BAD_ROWS = "file.too_many_bad_rows"
MAX_BAD_ROWS = 1_000_000
"""A file with more bad rows, and too many for what was read of it, is not read to its end."""

ENOUGH_BAD_ROWS = 20_000
"""With more, a file is read no further once they are too many for all the lines that it has."""

MAX_EXAMPLES = 3


class ReadBlock(Protocol):
    """What came of a part of a file (`block_checks.CheckedBlock`, which see)."""

    @property
    def rows_in(self) -> int: ...
    @property
    def accepted(self) -> Any: ...
    @property
    def quarantined(self) -> QuarantinedRows: ...
    @property
    def goes_on(self) -> bool: ...


B = TypeVar("B", bound=ReadBlock)


class Stopped(Enum):
    """Why a file was not read, or not compared, to its end."""

    HOPELESS = auto()
    CERTAIN = auto()
    COMPARING = auto()


@dataclass(frozen=True)
class KindCheck:
    """What a source's file gives of one kind: rows_in = accepted + quarantined + duplicates +
    left_out (docs/design.md, Sources).

    `read` rows were handed on as accepted; what of them does not stand is in `removed`.
    """

    kind: Kind
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    left_out: Mapping[str, int]
    read: int
    removed: Removed | None = None


@dataclass(frozen=True)
class FileCheck:
    """What was found in a file. A rejected file has a rule and a reason, and accepts no row.

    rows_in = accepted + quarantined + duplicates: all rows of a file with too many bad ones are
    quarantined with it, or those that were counted where reading stopped; the reason says so. A
    file that could not be read to its end counts no rows. `header` is there once it is read.

    `read` rows were handed on as accepted and `bad` ones as bad. What of the former does not stand
    is in `removed`, in the order in which they were handed on.

    A file that is read by a source may leave rows out, which then belong to the sum, and says what
    it gives by `kinds`; `user_columns` are those of the file that name users.
    """

    rule: str | None = None
    reason: str | None = None
    rows_in: int = 0
    accepted: int = 0
    quarantined: int = 0
    duplicates: int = 0
    guests: int = 0
    currency: str | None = None
    header: Header | None = None
    read: int = 0
    bad: int = 0
    removed: Removed | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    kinds: tuple[KindCheck, ...] = ()
    whole_orders: bool = False
    user_columns: tuple[str, ...] = ()

    @property
    def is_rejected(self) -> bool:
        return self.rule is not None

    @property
    def unknown_columns(self) -> tuple[str, ...]:
        """The names in the header that the contract does not know."""
        return self.header.unknown_columns if self.header else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in the header, in lower case."""
        return self.header.names if self.header else ()


class Counts:
    """Rows so far, and which rules were broken how often.

    `count_lines` gives a number that the file's rows are not more than; it is asked once at most.
    """

    def __init__(self, max_rejected_fraction: float, count_lines: Callable[[], int]) -> None:
        self._limit, self._count_lines = max_rejected_fraction, count_lines
        self._lines: int | None = None
        self.rows_in = self.read = self.bad = self.duplicates = self.guests = 0
        self.currency: str | None = None
        self.removed: Removed | None = None
        self.by_rule: Counter[str] = Counter()
        self.examples: dict[str, list[QuarantinedRow]] = {}
        self._stopped: Stopped | None = None

    def counted(self, reading: Iterator[B | None]) -> Iterator[B]:
        """What is read, until reading on can change nothing."""
        for checked in reading:
            if checked is None:
                if self.are_hopeless:
                    self._stopped = Stopped.HOPELESS
                    return
            else:
                self.rows_in += checked.rows_in
                self.read += checked.accepted.num_rows
                self.add_bad(checked.quarantined)
                yield checked
            if (checked is None or checked.goes_on) and self._are_certain():
                self._stopped = Stopped.CERTAIN
                return

    def stop_comparing(self) -> None:
        """More rows of one key may follow."""
        self._stopped = Stopped.COMPARING

    def note(self, rows: Any) -> None:
        """What accepted rows say of the whole file."""
        if USER_COLUMN in rows.column_names:
            self.guests += rows[USER_COLUMN].null_count
        if self.currency is None and CURRENCY in rows.column_names:
            codes = pc.drop_null(rows[CURRENCY])
            self.currency = codes[0].as_py() if len(codes) else None

    def remove(self, found: Found, removed: Removed) -> None:
        """Accepted rows that do not stand after all."""
        self.removed = removed
        self.add_bad(found.contradictions)
        self.duplicates += len(found.ordinals) - len(found.contradictions)
        self.guests -= found.guests

    def add_bad(self, rows: QuarantinedRows) -> None:
        """Rows that are bad by themselves."""
        self.bad += len(rows)
        for rule, count in rows.by_rule().items():
            self.by_rule[rule] += count
            kept = self.examples.setdefault(rule, [])
            kept += rows.that_break(rule, at_most=MAX_EXAMPLES - len(kept))

    @property
    def are_hopeless(self) -> bool:
        """So many bad rows that reading on would only fill the quarantine."""
        return self.bad > max(MAX_BAD_ROWS, self._limit * self.rows_in)

    @property
    def are_too_many(self) -> bool:
        """Whether the bad rows reject the file."""
        return self.bad > self._limit * self.rows_in

    @property
    def are_settled(self) -> bool:
        """Where all rows are counted: whether more bad ones would change only their number."""
        return self.bad > ENOUGH_BAD_ROWS and self.are_too_many

    def _are_certain(self) -> bool:
        """Whether the bad rows reject the file, whatever follows."""
        if not self.are_settled:
            return False
        if self._lines is None:
            self._lines = self._count_lines()
        return self.bad > self._limit * self._lines

    def concluded(self, header: Header) -> FileCheck:
        """The outcome of a file that was read."""
        common: dict[str, Any] = {
            "rows_in": self.rows_in,
            "header": header,
            "read": self.read,
            "bad": self.bad,
            "removed": self.removed,
        }
        if not self.rows_in:
            reason = "the file has a header but no rows; upload it again with rows"
            return FileCheck("file.no_rows", reason, **common)
        if self.are_too_many:
            return FileCheck(
                TOO_MANY_BAD_ROWS, self._too_many(), quarantined=self.rows_in, **common
            )
        return FileCheck(
            accepted=self.rows_in - self.bad - self.duplicates,
            quarantined=self.bad,
            duplicates=self.duplicates,
            guests=self.guests,
            currency=self.currency,
            **common,
        )

    def _too_many(self) -> str:
        """The rule of the example is said before it, that of the file beside this reason."""
        [(most_common, times)] = self.by_rule.most_common(1)
        first = sorted(self.examples[most_common])
        lines = ", ".join(f"{row.line:,}" for row in first)
        return (
            f"{self._how_many()}; most often {most_common} "
            f"({times:,} {'row' if times == 1 else 'rows'}, the first in "
            f"{'line' if len(first) == 1 else 'lines'} {lines}): "
            f"{without_rules(first[0].message)}"
        )

    def _how_many(self) -> str:
        """How many rows are bad, and of how many, as far as that is known."""
        limit, rest = f"more than {self._limit:.0%}", "what follows was neither checked nor counted"
        match self._stopped:
            case Stopped.HOPELESS:
                return (
                    f"{self.bad:,} of {self.rows_in:,} rows that were read are bad, {limit}; "
                    f"reading stopped there, at over {MAX_BAD_ROWS:,} bad rows: {rest}"
                )
            case Stopped.CERTAIN:
                return (
                    f"{self.bad:,} rows are bad, {limit} of all that the file's {self._lines:,} "
                    f"lines can hold; reading stopped there: {rest}"
                )
            case Stopped.COMPARING:
                return (
                    f"{self.bad:,} of {self.rows_in:,} rows are bad, {limit}; comparing rows of "
                    "one key stopped there: contradictions that follow are not counted"
                )
        are = "is" if self.bad == 1 else "are"
        return f"{self.bad:,} of {self.rows_in:,} rows {are} bad, {limit}"
