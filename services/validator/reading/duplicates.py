"""Rows of one file that state the same thing, compared as they are: which one stands.

A file is a statement (docs/design.md, Validation): of several rows with one key the last stands;
those that say the same are duplicates, those that say otherwise contradict it. Memory is bounded:
what does not fit goes to temporary files, by hash, so that rows of one key meet again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import FileContract
from services.runtime.csv_files.rule_names import rule_named
from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.quarantined_rows import QuarantinedRows, without_line_ends
from services.validator.reading.regular_rows import RAW

HELD_BYTES = 24 << 20
PARTS = 64
SHOWN_CHARACTERS = 80
PORTION_ROWS = 1 << 14
_KEY, HASH, _ORDINAL = "key of the row", "hash of the key", "ordinal"
_HELPERS = (_KEY, HASH, _ORDINAL, SOURCE_LINE, RAW)
_BETWEEN = "\x1f"
"""Between the columns of a key: no id holds a control character."""


class Removed:
    """Which of the accepted rows, counted from 0, do not stand: a bit each."""

    def __init__(self, rows: int) -> None:
        self._bits = np.zeros(rows // 8 + 1, np.uint8)
        self.count = 0

    def add(self, ordinals: Any) -> None:
        """Rows that were not removed before."""
        self.count += len(ordinals)
        np.bitwise_or.at(self._bits, ordinals >> 3, (1 << (ordinals & 7)).astype(np.uint8))

    def stand(self, first: int, count: int) -> Any:
        """True for each of `count` rows from `first` on that stands."""
        ordinals = np.arange(first, first + count)
        return (self._bits[ordinals >> 3] >> (ordinals & 7) & 1) == 0


class Pile:
    """Candidate rows, in memory or by hash in files; leaving it as a context manager tidies up."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._held: list[Any] = []
        self._size, self._held_bytes = 0, held_bytes
        self._folder: TemporaryDirectory[str] | None = None
        self._writers: dict[int, Any] = {}

    def __enter__(self) -> "Pile":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        if self._folder:
            self._folder.cleanup()

    def add(self, rows: Any) -> None:
        """More candidates, in the order of the file."""
        self._held.append(rows)
        self._size += rows.nbytes
        if self._size > self._held_bytes:
            self._spill()

    def parts(self) -> Iterator[Callable[[], Iterator[Any]]]:
        """Ways to read the rows of each part, as often as wanted."""
        if self._folder is None:
            held = self._held
            yield lambda: iter(held)
            return
        self._spill()
        self._close()
        for path in sorted(Path(self._folder.name).iterdir()):
            yield lambda path=path: _batches(path)  # type: ignore[misc]

    def _spill(self) -> None:
        self._folder = self._folder or TemporaryDirectory(prefix="repeats-")
        if not self._held:
            return
        slices: dict[int, list[Any]] = {}
        while self._held:
            rows = self._held.pop(0).combine_chunks()
            part_of = (rows[HASH].to_numpy() >> np.uint64(58)).astype(np.uint8)
            rows = rows.take(pa.array(np.argsort(part_of, kind="stable")))
            edges = np.bincount(part_of, minlength=PARTS).cumsum()
            for part in np.unique(part_of).tolist():
                first = edges[part - 1] if part else 0
                slices.setdefault(part, []).append(rows[first : edges[part]])
        self._size = 0
        for part, of_part in sorted(slices.items()):
            if part not in self._writers:
                options = pa.ipc.IpcWriteOptions(compression="lz4")
                path = Path(self._folder.name, f"{part:02}.arrow")
                self._writers[part] = pa.ipc.new_file(str(path), of_part[0].schema, options=options)
            self._writers[part].write_table(pa.concat_tables(of_part).combine_chunks())

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _batches(path: Path) -> Iterator[Any]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def as_candidates(rows: Any, key: tuple[str, ...], hashes: Any, ordinals: Any) -> Any:
    """Staged rows with their raw text, and what is needed to compare and to remove them."""
    columns = [rows[name].combine_chunks() for name in key]
    joined = pc.binary_join_element_wise(*columns, _BETWEEN) if len(columns) > 1 else columns[0]
    for name, values in (
        (_KEY, joined),
        (HASH, pa.array(hashes, pa.uint64())),
        (_ORDINAL, pa.array(ordinals, pa.int64())),
    ):
        rows = rows.append_column(name, values)
    return rows


@dataclass(frozen=True)
class Found:
    """What does not stand among some candidates: rows that contradict, and ordinals of all."""

    contradictions: QuarantinedRows
    ordinals: Any
    guests: int


def look(read: Callable[[], Iterator[Any]], name: str, contract: FileContract) -> Iterator[Found]:
    """The rows of one part that do not stand; `name` is the file, for messages."""
    standing: Any = None
    for rows in map(_without_text, read()):
        together = pa.concat_tables([standing, rows]) if standing is not None else rows
        standing = _last_of_each(together)
    keys = standing[_KEY].combine_chunks()
    for rows in read():
        places = pc.index_in(rows[_KEY].combine_chunks(), value_set=keys)
        for start in range(0, rows.num_rows, PORTION_ROWS):
            portion = slice(start, start + PORTION_ROWS)
            yield _compared(rows[portion], standing.take(places[portion]), name, contract)


def _without_text(rows: Any) -> Any:
    return rows.drop_columns([HASH, RAW])


def _last_of_each(rows: Any) -> Any:
    codes = pc.dictionary_encode(rows[_KEY].combine_chunks()).indices.to_numpy()
    last = np.zeros(int(codes.max()) + 1, np.int64)
    np.maximum.at(last, codes, np.arange(len(codes)))
    return rows.take(pa.array(last)).combine_chunks()


def _compared(rows: Any, stands: Any, name: str, contract: FileContract) -> Found:
    """Rows with the row of each one's key that stands."""
    columns = [each for each in rows.column_names if each not in _HELPERS]
    differs = {each: ~_equal(rows[each], stands[each]) for each in columns}
    contradicts = np.logical_or.reduce(list(differs.values()))
    falls = rows[_ORDINAL].to_numpy() != stands[_ORDINAL].to_numpy()
    found = QuarantinedRows.none()
    if contradicts.any():
        mask = pa.array(contradicts)
        of_each = {each: differ[contradicts] for each, differ in differs.items()}
        found = _quarantined(rows.filter(mask), stands.filter(mask), of_each, name, contract)
    gone = rows.filter(pa.array(falls))
    guests = gone["user_id"].null_count if "user_id" in columns else 0
    return Found(found, gone[_ORDINAL].to_numpy(), guests)


def _equal(one: Any, other: Any) -> Any:
    both_nothing = pc.and_(pc.is_null(one), pc.is_null(other))
    same = pc.or_(pc.fill_null(pc.equal(one, other), False), both_nothing)
    return same.to_numpy()


def _quarantined(
    rows: Any, stands: Any, differs: dict[str, Any], name: str, contract: FileContract
) -> QuarantinedRows:
    column = contract.key[-1]
    rule = f"{column}.contradicted"
    said = [
        _difference(each, rows[each], stands[each], differ)
        for each, differ in differs.items()
        if differ.any()
    ]
    differences = pc.binary_join_element_wise(*said, ", ", null_handling="skip")
    ids = [part for each in contract.key for part in (f"{each} ", rows[each], " ")]
    messages = pc.binary_join_element_wise(
        f"{name} line ",
        pc.cast(rows[SOURCE_LINE], pa.string()),
        ": ",
        *ids,
        "is stated again, and otherwise, in line ",
        pc.cast(stands[SOURCE_LINE], pa.string()),
        ", which stands: ",
        differences,
        rule_named(rule, contract.label),
        "",
    )
    count = rows.num_rows
    return QuarantinedRows.by_columns(
        rows[SOURCE_LINE],
        pa.repeat(column, count),
        pa.repeat(rule, count),
        messages,
        without_line_ends(rows[RAW].combine_chunks()),
    )


def _difference(column: str, here: Any, there: Any, differs: Any) -> Any:
    """`total_amount 10.00 here, 30.00 there` where they differ; who it was is nobody's business."""
    name = column.removesuffix("_cents")
    if column == "user_id":
        said = pa.array(np.full(len(differs), "another user_id", object), pa.string())
    else:
        said = pc.binary_join_element_wise(
            f"{name} ",
            shown_values(column, here),
            " here, ",
            shown_values(column, there),
            " there",
            "",
        )
    return pc.if_else(pa.array(differs), said, pa.scalar(None, pa.string()))


def shown_values(column: str, values: Any) -> Any:
    if column.endswith("_cents"):
        whole = pc.cast(pc.divide(values, 100), pa.string())
        cents = pc.subtract(values, pc.multiply(pc.divide(values, 100), 100))
        small = pc.utf8_lpad(pc.cast(cents, pa.string()), width=2, padding="0")
        return pc.fill_null(pc.binary_join_element_wise(whole, small, "."), "nothing")
    texts = pc.utf8_slice_codeunits(pc.cast(values, pa.string()), 0, SHOWN_CHARACTERS)
    return pc.fill_null(texts, "nothing")
