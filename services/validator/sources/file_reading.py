"""A source's file on its way through: opened, read block by block, counted by kind."""

import sys
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from contracts.sources.model import Kind, Source
from services.runtime.csv_files.row_checks import OneCurrency
from services.runtime.sources.shaped import Shaped
from services.runtime.sources.shaping import Shaper
from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.file_text import ByteStream, LineEnds, count_lines
from services.validator.reading.line_blocks import line_blocks
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.verdict import Counts, FileCheck, KindCheck
from services.validator.sources.bound_header import BoundFile, bound
from services.validator.sources.cells import CellReader, Cells
from services.validator.sources.judging import Judge, Judged
from services.validator.sources.source_text import text_reader

OpenStream = Callable[[], AbstractContextManager[ByteStream]]
AcceptedRows = Callable[[Kind, Any], None]
"""Takes a pyarrow table of accepted rows of a kind (`staged_columns.staged_schema`)."""
T = TypeVar("T")
AHEAD = 2
"""A block, and the None before it."""
_END = object()
BadRows = Callable[[QuarantinedRows], None]


@dataclass(frozen=True)
class SourceFile:
    """A file and the source that it is read by; `lookups` are tables of text by their names."""

    open_stream: OpenStream
    source: Source
    name: str
    today: date
    lookups: Mapping[str, pa.Table]
    block_bytes: int

    def opened(self, stream: ByteStream) -> BoundFile:
        """The header, bound to the source, and the blocks from there on; raises BadFile."""
        read_text = text_reader(self.source.file)
        return bound(self.source, line_blocks(stream, self.name, self.block_bytes, read_text))

    def count_lines(self) -> int:
        """At least as many as the file's rows, by its lines wherever they end; raises BadFile."""
        if self.source.explode:
            return sys.maxsize
        read_text = text_reader(self.source.file)
        with self.open_stream() as stream:
            return count_lines(read_text(stream, self.name, self.block_bytes, LineEnds()))

    def cells(self, opened: BoundFile) -> Iterator[Cells | None]:
        """The rows by their cells; None stands before each block."""
        reader = CellReader(self.name, opened.compiled, opened.header, opened.first_line)
        for block in opened.blocks:
            if block.text:
                yield None
            for cells in reader.read(block):
                yield from opened.apart.apart(cells) if opened.apart else (cells,)

    def shaped(self, opened: BoundFile) -> Iterator[tuple[Cells, Shaped]]:
        """The rows, and what the source makes of them, not judged yet."""
        with Shaper(opened.compiled, self.lookups) as shaper:
            for cells in self.cells(opened):
                if cells is not None and len(cells.lines):
                    yield cells, shaper.shape(cells.table)

    def texts_of(self, wanted: Any) -> Iterator[tuple[Any, Any]]:
        """Read the file once more for the rows that start in some lines, in order: lines, texts."""
        with self.open_stream() as stream:
            for cells in self.cells(self.opened(stream)):
                if cells is not None and len(cells.lines):
                    lines, firsts = np.unique(cells.lines, return_index=True)
                    chosen = np.flatnonzero(np.isin(lines, wanted, assume_unique=True))
                    if len(chosen):
                        yield lines[chosen], cells.raw.take(pa.array(firsts[chosen]))


class Reading(ABC):
    """What comes of one file; use as a context manager."""

    def __init__(
        self,
        file: SourceFile,
        opened: BoundFile,
        currency: OneCurrency | None,
        counts: Counts,
        on_accepted: AcceptedRows,
        on_quarantined: BadRows,
    ) -> None:
        self.file, self.opened, self.compiled = file, opened, opened.compiled
        self.counts = counts
        self.on_accepted, self.on_quarantined = on_accepted, on_quarantined
        self.own_kind = file.source.row_kind
        self.kinds: dict[Kind, KindCheck] = {
            kind: KindCheck(kind, 0, 0, 0, 0, {}, 0) for kind in file.source.kinds
        }
        self.left_out: Counter[str] = Counter()
        self.incomplete = 0
        self.stack = ExitStack()
        shaper = self.stack.enter_context(Shaper(self.compiled, file.lookups))
        self._judge = Judge(file.name, self.compiled, shaper, file.today, currency)

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def blocks(self) -> Iterator[Judged | None]:
        """What comes of each block; None stands before it."""
        for cells in ahead(self.file.cells(self.opened)):
            if cells is None:
                yield None
            elif len(cells.lines):
                yield self._judge.judge(cells)

    @property
    def currency(self) -> OneCurrency | None:
        """The one that all amounts are in, as far as it is known."""
        return self._judge.currency

    def take(self, judged: Judged) -> None:
        """Count a block, and hand on what can be."""
        own = judged.kinds[self.own_kind].left_out
        self.left_out.update(own)
        for kind, found in judged.kinds.items():
            before = self.kinds[kind]
            self.kinds[kind] = replace(
                before,
                rows_in=before.rows_in + found.rows_in,
                quarantined=before.quarantined + found.quarantined,
                left_out=Counter(before.left_out) + found.left_out,
                read=before.read + found.right.num_rows,
                accepted=before.accepted + found.right.num_rows,
            )
        self.take_rows(judged)

    @abstractmethod
    def take_rows(self, judged: Judged) -> None:
        """The right rows of a block."""

    @abstractmethod
    def settle(self) -> None:
        """Decide what only the whole file says."""

    def concluded(self) -> FileCheck:
        """The outcome of a file that was read."""
        check = self.counts.concluded(self.opened.header)
        common: dict[str, Any] = {
            "bad": self.counts.bad + self.incomplete,
            "user_columns": self.compiled.user_columns,
        }
        if check.is_rejected:
            return replace(check, **common)
        return replace(
            check,
            accepted=check.accepted - self.incomplete - self.left_out.total(),
            quarantined=check.quarantined + self.incomplete,
            currency=self.currency.code if self.currency and self._is_stated else None,
            left_out=dict(self.left_out),
            kinds=tuple(self.kinds.values()),
            whole_orders=self.file.source.rows == "order_lines",
            **common,
        )

    @property
    def _is_stated(self) -> bool:
        """Whether the file says a currency at all."""
        columns = [output.column for kind in self.compiled.kinds for output in kind.outputs]
        return "currency" in columns


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items; while one is at work, those after it are made in a thread, AHEAD at most."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as thread:
        coming = deque(thread.submit(next, items, _END) for _ in range(AHEAD))
        while (item := coming.popleft().result()) is not _END:
            coming.append(thread.submit(next, items, _END))
            yield cast(T, item)


def with_lines(rows: Any, lines: Any) -> Any:
    """Checked rows with the line that each starts in, in place of its number in the block."""
    place = rows.column_names.index(SOURCE_LINE)
    numbers = pa.array(lines[rows[SOURCE_LINE].to_numpy()], pa.int64())
    return rows.set_column(place, SOURCE_LINE, numbers)


def required_of(output_columns: Sequence[str], *, total_from_lines: bool) -> list[str]:
    """The columns that some row of an order has to say."""
    required = ["order_date"] + ([] if total_from_lines else ["total_amount_cents"])
    return required + (["status"] if "status" in output_columns else [])
