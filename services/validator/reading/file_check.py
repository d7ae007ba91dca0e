"""A whole file, from its bytes to an outcome: the one code path of the worker and `ecp validate`.

Accepted and bad rows are handed on block by block; nothing here knows AWS or keeps rows.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import FileContract
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.csv_records import FirstLine, read_record
from services.runtime.csv_files.header import Header, is_separator_line, read_header
from services.runtime.csv_files.row_checks import CURRENCY, OneCurrency, row_checks
from services.validator.reading.arrow_checks import arrow_checks
from services.validator.reading.block_checks import BlockChecker, CheckedBlock
from services.validator.reading.duplicate_candidates import Candidates, KeyHashes, hashes_of
from services.validator.reading.duplicates import Pile, Removed, as_candidates, look
from services.validator.reading.file_text import ByteStream, LineEnds, checked_text, count_lines
from services.validator.reading.line_blocks import BLOCK_BYTES, Block, line_blocks, line_end_after
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.staged_rows import as_staged
from services.validator.reading.verdict import Counts, FileCheck

FIRST_LOOK_BYTES = 1 << 16

OpenStream = Callable[[], AbstractContextManager[ByteStream]]
"""Opens the file at its start; called again for each further look at it."""
AcceptedRows = Callable[[Any], None]
"""Takes a pyarrow table of accepted rows (`staged_rows.accepted_schema`)."""
BadRows = Callable[[QuarantinedRows], None]


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
    counts = Counts(max_rejected_fraction, file.count_lines)
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

    def count_lines(self) -> int:
        """At least how many lines the file has, wherever they end; raises BadFile as reading does.

        It takes a tenth of the time that judging plain rows does.
        """
        with self.open_stream() as stream:
            return count_lines(checked_text(stream, self.name, self.block_bytes, LineEnds()))

    def collect(self, rows: Any, keys: KeyHashes) -> None:
        """The keys of accepted rows; rows that lack a part of theirs have none."""
        if self.has_key(rows):
            keys.add(hashes_of(self.key_columns(rows), keys.seed))

    def has_key(self, rows: Any) -> bool:
        """Whether a key distinguishes any of the rows from the others."""
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
    counts: Counts,
    on_quarantined: BadRows,
) -> None:
    """Read the file once more and settle which rows of a key stand (`duplicates.py`)."""
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
                if counts.are_settled:
                    counts.stop_comparing()
                    return


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
