"""A whole file, from its bytes to an outcome: the one code path of the worker and `ecp validate`.

Accepted and bad rows are handed on block by block; nothing here knows AWS or keeps rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Any

from contracts.csv_files.bad_file import BadFile
from contracts.csv_files.csv_records import FirstLine, read_record
from contracts.csv_files.header import Header, is_separator_line, read_header
from contracts.csv_files.row_checks import row_checks
from contracts.file_contracts import FileContract
from services.validator.arrow_checks import arrow_checks
from services.validator.block_checks import BlockChecker, CheckedBlock, QuarantinedRow
from services.validator.file_text import ByteStream
from services.validator.line_blocks import BLOCK_BYTES, Block, line_blocks, line_end_after
from services.validator.staged_rows import as_staged

TOO_MANY_BAD_ROWS = "file.too_many_bad_rows"
MAX_BAD_ROWS = 1_000_000
"""A file with more bad rows, and too many for what was read of it, is not read to its end."""

AcceptedRows = Callable[[Any], None]
"""Takes a pyarrow table of accepted rows (`staged_rows.accepted_schema`)."""
BadRows = Callable[[tuple[QuarantinedRow, ...]], None]


@dataclass(frozen=True)
class FileCheck:
    """What was found in a file. A rejected file has a rule and a reason, and accepts no row.

    rows_in = accepted + quarantined: all rows of a file with too many bad ones are quarantined
    with it, or the rows read up to MAX_BAD_ROWS bad ones. A file that could not be read to its
    end counts no rows. `columns` are the names in the header, in lower case, once it is read.
    """

    rule: str | None
    reason: str | None
    rows_in: int
    accepted: int
    quarantined: int
    unknown_columns: tuple[str, ...]
    columns: tuple[str, ...] = ()

    @property
    def is_rejected(self) -> bool:
        return self.rule is not None


def check_file(
    stream: ByteStream,
    contract: FileContract,
    *,
    name: str,
    today: date,
    max_rejected_fraction: float,
    on_accepted: AcceptedRows,
    on_quarantined: BadRows,
    block_bytes: int = BLOCK_BYTES,
) -> FileCheck:
    """Read and judge every row of a file.

    `name` ends in .csv or .csv.gz and is what messages call the file; `today` is the day (UTC)
    that dates are measured against; more than `max_rejected_fraction` (0 to 1) of bad rows reject
    the file. Rows handed on before a file turned out to be bad must be thrown away.
    """
    counts = _Counts()
    unknown_columns: tuple[str, ...] = ()
    try:
        blocks = line_blocks(stream, name, block_bytes)
        header, first_line, rest = _open(blocks, contract)
        unknown_columns = header.unknown_columns
        checker = BlockChecker(
            name,
            contract.label,
            row_checks(contract, header, today),
            arrow_checks(contract, header, today),
            first_line,
        )
        for block in rest:
            if block.text and counts.are_hopeless(max_rejected_fraction):
                counts.stopped_early = True
                break
            for checked in checker.check(block):
                counts.add(checked)
                if checked.accepted.num_rows:
                    on_accepted(as_staged(checked.accepted))
                if checked.quarantined:
                    on_quarantined(checked.quarantined)
    except BadFile as bad:
        return FileCheck(bad.rule, bad.reason, 0, 0, 0, unknown_columns)
    concluded = _concluded(counts, unknown_columns, max_rejected_fraction)
    return replace(concluded, columns=header.names)


class _Counts:
    """Rows so far, and which rules were broken how often."""

    def __init__(self) -> None:
        self.rows_in = self.accepted = self.quarantined = 0
        self.by_rule: Counter[str] = Counter()
        self.first_bad: QuarantinedRow | None = None
        self.stopped_early = False

    def add(self, checked: CheckedBlock) -> None:
        self.rows_in += checked.rows_in
        self.accepted += checked.accepted.num_rows
        self.quarantined += len(checked.quarantined)
        self.by_rule.update(row.rule for row in checked.quarantined)
        if self.first_bad is None and checked.quarantined:
            self.first_bad = checked.quarantined[0]

    def are_hopeless(self, max_rejected_fraction: float) -> bool:
        """So many bad rows that reading on would only fill the quarantine."""
        return self.quarantined > max(MAX_BAD_ROWS, max_rejected_fraction * self.rows_in)


def _concluded(
    counts: _Counts, unknown_columns: tuple[str, ...], max_rejected_fraction: float
) -> FileCheck:
    rule = reason = None
    if not counts.rows_in:
        rule = "file.no_rows"
        reason = "the file has a header but no rows; upload it again with rows"
    elif counts.first_bad and counts.quarantined > max_rejected_fraction * counts.rows_in:
        rule = TOO_MANY_BAD_ROWS
        reason = _too_many(counts, counts.first_bad, max_rejected_fraction)
    if rule:
        return FileCheck(rule, reason, counts.rows_in, 0, counts.rows_in, unknown_columns)
    return FileCheck(
        None, None, counts.rows_in, counts.accepted, counts.quarantined, unknown_columns
    )


def _too_many(counts: _Counts, first_bad: QuarantinedRow, max_rejected_fraction: float) -> str:
    (most_common, times), *_ = counts.by_rule.most_common(1)
    read, stopped = "", ""
    if counts.stopped_early:
        read = " that were read"
        stopped = (
            f"; reading stopped there, at over {MAX_BAD_ROWS:,} bad rows: what follows was neither "
            "checked nor counted"
        )
    return (
        f"{counts.quarantined:,} of {counts.rows_in:,} rows{read} are bad, more than "
        f"{max_rejected_fraction:.0%}{stopped}; most often {most_common} ({times:,} rows); "
        f"the first is {first_bad.message}"
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
