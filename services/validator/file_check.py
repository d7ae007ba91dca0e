"""A whole file, from its bytes to an outcome: the one code path of the worker and `ecp validate`.

Accepted and bad rows are handed on block by block; nothing here knows AWS or keeps rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.csv_files.bad_file import BadFile
from contracts.csv_files.csv_records import FirstLine, read_record
from contracts.csv_files.header import Header, is_separator_line, read_header
from contracts.csv_files.row_checks import CURRENCY, OneCurrency, row_checks
from contracts.file_contracts import FileContract
from services.validator.arrow_checks import arrow_checks
from services.validator.block_checks import BlockChecker, CheckedBlock, QuarantinedRow
from services.validator.file_text import ByteStream
from services.validator.key_hashes import Candidates, KeyHashes, hashes_of
from services.validator.line_blocks import BLOCK_BYTES, Block, line_blocks, line_end_after
from services.validator.second_look import Found, Pile, Removed, as_candidates, look
from services.validator.staged_rows import as_staged

TOO_MANY_BAD_ROWS = "file.too_many_bad_rows"
MAX_BAD_ROWS = 1_000_000
"""A file with more bad rows, and too many for what was read of it, is not read to its end."""

MAX_EXAMPLES = 3
FIRST_LOOK_BYTES = 1 << 16
USER_COLUMN = "user_id"

OpenStream = Callable[[], AbstractContextManager[ByteStream]]
"""Opens the file at its start; called again for each further look at it."""
AcceptedRows = Callable[[Any], None]
"""Takes a pyarrow table of accepted rows (`staged_rows.accepted_schema`)."""
BadRows = Callable[[tuple[QuarantinedRow, ...]], None]


@dataclass(frozen=True)
class FileCheck:
    """What was found in a file. A rejected file has a rule and a reason, and accepts no row.

    rows_in = accepted + quarantined + duplicates: all rows of a file with too many bad ones are
    quarantined with it, or the rows read up to MAX_BAD_ROWS bad ones. A file that could not be
    read to its end counts no rows. `header` is there once it is read.

    `read` rows were handed on as accepted and `bad` ones as bad. What of the former does not stand
    is in `removed`, in the order in which they were handed on.
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


def check_file(
    open_stream: OpenStream,
    contract: FileContract,
    *,
    name: str,
    today: date,
    max_rejected_fraction: float,
    on_accepted: AcceptedRows,
    on_quarantined: BadRows,
    currency: str | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> FileCheck:
    """Read and judge every row of a file.

    `name` ends in .csv or .csv.gz and is what messages call the file; `today` is the day (UTC)
    that dates are measured against; more than `max_rejected_fraction` (0 to 1) of bad rows reject
    the file; rows in another currency than `currency` (or the file's first one) are bad. Rows
    handed on before a file turned out to be bad must be thrown away. The file is read again where
    keys repeat.
    """
    file = _File(open_stream, contract, name, today, block_bytes)
    counts = _Counts(max_rejected_fraction)
    header: Header | None = None
    try:
        with KeyHashes() as keys, open_stream() as stream:
            header, first_line, blocks = file.opened(stream)
            only = file.currency(header, currency)
            reading = file.rows(header, first_line, blocks, only)
            for checked in counts.counted(reading):
                if checked.accepted.num_rows:
                    counts.note(checked.accepted)
                    file.collect(checked.accepted, keys)
                    on_accepted(as_staged(checked.accepted))
                if checked.quarantined:
                    on_quarantined(checked.quarantined)
            candidates = keys.candidates()
        if candidates and not counts.are_too_many:
            look_again(file, only, keys.seed, candidates, counts, on_quarantined)
    except BadFile as bad:
        return FileCheck(bad.rule, bad.reason, header=header)
    return counts.concluded(header)


@dataclass(frozen=True)
class _File:
    """A file, and how its rows are read."""

    open_stream: OpenStream
    contract: FileContract
    name: str
    today: date
    block_bytes: int

    def opened(self, stream: ByteStream) -> tuple[Header, int, Iterator[Block]]:
        """The header, the number of the line after it, and the blocks from there on."""
        return _open(line_blocks(stream, self.name, self.block_bytes), self.contract)

    def rows(
        self,
        header: Header,
        first_line: int,
        blocks: Iterator[Block],
        only: OneCurrency | None,
        *,
        with_raw: bool = False,
    ) -> Iterator[CheckedBlock | None]:
        """What comes of the rows; None stands before each block."""
        checker = BlockChecker(
            self.name,
            self.contract.label,
            row_checks(self.contract, header, self.today, only),
            arrow_checks(self.contract, header, self.today, only.code if only else None),
            first_line,
            with_raw=with_raw,
        )
        for block in blocks:
            if block.text:
                yield None
            yield from checker.check(block)

    def currency(self, header: Header, given: str | None) -> OneCurrency | None:
        """The one that is given, else that of the first right row that says one."""
        if CURRENCY not in header.names or CURRENCY not in self.contract.columns:
            return None
        if given:
            return OneCurrency(given, "which this pipeline counts in (CURRENCY)")
        first_look = replace(self, block_bytes=min(self.block_bytes, FIRST_LOOK_BYTES))
        with self.open_stream() as stream:
            for checked in self.rows(*first_look.opened(stream), None):
                if checked and len(codes := pc.drop_null(checked.accepted[CURRENCY])):
                    return OneCurrency(codes[0].as_py(), "which the rows before it are in")
        return None

    def collect(self, rows: Any, keys: KeyHashes) -> None:
        """The keys of accepted rows; rows that lack a part of theirs have none."""
        if self.has_key(rows):
            keys.add(hashes_of(self.key_columns(rows), keys.seed))

    def has_key(self, rows: Any) -> bool:
        """Whether any of the rows is told from the others by a key."""
        key = self.contract.key
        return bool(key) and all(rows[each].null_count < rows.num_rows for each in key)

    def keyed(self, rows: Any) -> Any:
        """True for each row with a whole key."""
        return reduce(pc.and_, [pc.is_valid(rows[each]) for each in self.contract.key])

    def key_columns(self, rows: Any) -> list[Any]:
        """The columns of the key, each in one piece, of the rows that have all of it."""
        key = rows.select(self.contract.key)
        if any(column.null_count for column in key.columns):
            key = key.filter(self.keyed(rows))
        return [column.combine_chunks() for column in key.columns]


def look_again(
    file: _File,
    only: OneCurrency | None,
    seed: int,
    candidates: Candidates,
    counts: "_Counts",
    on_quarantined: BadRows,
) -> None:
    """Read the file once more and settle which rows of a key stand (`second_look.py`)."""
    with Pile() as pile:
        with file.open_stream() as stream:
            first = 0
            for checked in file.rows(*file.opened(stream), only, with_raw=True):
                if checked is None or not checked.accepted.num_rows:
                    continue
                rows = as_staged(checked.accepted)
                ordinals = np.arange(first, first + rows.num_rows)
                first += rows.num_rows
                if not file.has_key(rows):
                    continue
                keyed = file.keyed(rows)
                rows, ordinals = rows.filter(keyed), ordinals[keyed.to_numpy()]
                hashes = hashes_of(file.key_columns(rows), seed)
                chosen = candidates.holds(hashes)
                if chosen.any():
                    rows = rows.filter(pa.array(chosen))
                    key = file.contract.key
                    pile.add(as_candidates(rows, key, hashes[chosen], ordinals[chosen]))
        removed = Removed(first)
        for read in pile.parts():
            for found in look(read, file.name, file.contract):
                removed.add(found.ordinals)
                counts.remove(found, removed)
                if found.contradictions:
                    on_quarantined(found.contradictions)
                if counts.are_hopeless:
                    counts.stopped_early = True
                    return


class _Counts:
    """Rows so far, and which rules were broken how often."""

    def __init__(self, max_rejected_fraction: float) -> None:
        self._limit = max_rejected_fraction
        self.rows_in = self.read = self.bad = self.duplicates = self.guests = 0
        self.currency: str | None = None
        self.removed: Removed | None = None
        self.by_rule: Counter[str] = Counter()
        self.examples: dict[str, list[QuarantinedRow]] = {}
        self.stopped_early = False

    def counted(self, reading: Iterator[CheckedBlock | None]) -> Iterator[CheckedBlock]:
        """What is read, until the file is hopeless."""
        for checked in reading:
            if checked is None:
                if self.are_hopeless:
                    self.stopped_early = True
                    return
                continue
            self.rows_in += checked.rows_in
            self.read += checked.accepted.num_rows
            self._add_bad(checked.quarantined)
            yield checked

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
        self._add_bad(found.contradictions)
        self.duplicates += len(found.ordinals) - len(found.contradictions)
        self.guests -= found.guests

    def _add_bad(self, rows: tuple[QuarantinedRow, ...]) -> None:
        self.bad += len(rows)
        self.by_rule.update([row.rule for row in rows])
        for rule in {row.rule for row in rows}:
            kept = self.examples.setdefault(rule, [])
            wanted = MAX_EXAMPLES - len(kept)
            if wanted:
                kept += islice((row for row in rows if row.rule == rule), wanted)

    @property
    def are_hopeless(self) -> bool:
        """So many bad rows that reading on would only fill the quarantine."""
        return self.bad > max(MAX_BAD_ROWS, self._limit * self.rows_in)

    @property
    def are_too_many(self) -> bool:
        """Whether the bad rows reject the file."""
        return self.bad > self._limit * self.rows_in

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
        [(most_common, times)] = self.by_rule.most_common(1)
        first = sorted(self.examples[most_common], key=lambda row: row.line)
        lines = ", ".join(f"{row.line:,}" for row in first)
        read, stopped = "", ""
        if self.stopped_early:
            read = " that were read"
            stopped = (
                f"; reading stopped there, at over {MAX_BAD_ROWS:,} bad rows: what follows was "
                "neither checked nor counted"
            )
        return (
            f"{self.bad:,} of {self.rows_in:,} rows{read} are bad, more than "
            f"{self._limit:.0%}{stopped}; most often {most_common} "
            f"({times:,} {'row' if times == 1 else 'rows'}, the first in "
            f"{'line' if len(first) == 1 else 'lines'} {lines}): {first[0].message}"
        )


def _open(blocks: Iterator[Block], contract: FileContract) -> tuple[Header, int, Iterator[Block]]:
    """The header, the number (from 1) of the line after it, and the blocks from there on.

    Blank lines before the header are skipped, and so is a line that only names the delimiter.
    """
    line_number = 1
    for block in blocks:
        start = 0
        while start < len(block.text):
            end = line_end_after(block.text, start, returns_end_lines=block.returns_end_lines)
            line_number += 1
            record = read_record([block.text[start:end]], 0, FirstLine(), is_last_block=True)
            start = end
            if record and (record.fields or record.problem) and not is_separator_line(record):
                header = read_header(record, contract)
                rest = replace(block, text=block.text[start:])
                return header, line_number, chain((rest,), blocks)
    raise BadFile("file.empty", "the file is empty; upload it again with a header and rows")


def header_of(stream: ByteStream, contract: FileContract, name: str) -> Header:
    """The header of a file, read as `check_file` reads it; raises BadFile when it is none."""
    return _open(line_blocks(stream, name, BLOCK_BYTES), contract)[0]
