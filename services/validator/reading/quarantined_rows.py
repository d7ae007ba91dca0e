"""Rows that are not accepted, as a column each of where they are, what they say and what is wrong.

They are made into objects only for who asks for single ones: a file may have very many.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_RAW_BYTES = 64 << 10
"""Raw text kept of a quarantined record; what is longer is cut and says so."""

MAX_BYTES_OF_A_CHARACTER = 4

_LF, _CR = b"\n\r"


class QuarantinedRow(NamedTuple):
    """One record that was not accepted: where it is, what it says, which rule it breaks."""

    line: int
    column: str | None
    rule: str
    message: str
    raw: str


_SCHEMA = pa.schema(
    {
        "line": pa.int64(),
        "column": pa.string(),
        "rule": pa.string(),
        "message": pa.string(),
        "raw": pa.string(),
    }
)


class QuarantinedRows(Sequence[QuarantinedRow]):
    """Rows by their columns: a pyarrow `table` of the fields of `QuarantinedRow`."""

    def __init__(self, table: Any) -> None:
        self.table = table

    @classmethod
    def none(cls) -> "QuarantinedRows":
        """No row."""
        return cls(_SCHEMA.empty_table())

    @classmethod
    def by_columns(
        cls, line: Any, column: Any, rule: Any, message: Any, raw: Any
    ) -> "QuarantinedRows":
        """Arrays of all rows; `raw` has no line end, and is cut where it is long."""
        columns = [line, column, rule, message, _bounded(raw)]
        return cls(pa.Table.from_arrays(columns, schema=_SCHEMA))

    @classmethod
    def joined(cls, parts: Sequence["QuarantinedRows"]) -> "QuarantinedRows":
        """All rows of several, by their lines."""
        filled = [part for part in parts if part]
        if len(filled) < 2:
            return filled[0] if filled else cls.none()
        return cls(pa.concat_tables([part.table for part in filled]).sort_by("line"))

    def by_rule(self) -> dict[str, int]:
        """How many rows break each rule, in the order of the first that does."""
        counts = pc.value_counts(self.table["rule"]).to_pylist()
        return {each["values"]: each["counts"] for each in counts}

    def that_break(self, rule: str, at_most: int) -> "QuarantinedRows":
        """The first of those that break a rule."""
        if not at_most:
            return self[:0]
        rows = np.flatnonzero(pc.equal(self.table["rule"], rule).to_numpy())[:at_most]
        return QuarantinedRows(self.table.take(pa.array(rows)))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[QuarantinedRow]:
        columns = [column.to_pylist() for column in self.table.columns]
        return map(QuarantinedRow._make, zip(*columns, strict=True))

    @overload
    def __getitem__(self, index: int) -> QuarantinedRow: ...
    @overload
    def __getitem__(self, index: slice) -> "QuarantinedRows": ...
    def __getitem__(self, index: int | slice) -> "QuarantinedRow | QuarantinedRows":
        if isinstance(index, slice):
            return QuarantinedRows(self.table[index])
        place = range(len(self))[index]
        return next(iter(self[place : place + 1]))


def without_line_ends(texts: Any) -> Any:
    """Strings without the LF, CRLF or CR that each may end in."""
    _, offsets, characters = texts.buffers()
    edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(characters or b"", np.uint8)[edges[0] : edges[-1]]
    ends = edges[1:] - edges[0]
    lengths = np.diff(edges)
    kept = np.ones(len(held), bool)
    for end in (_LF, _CR):
        filled = np.flatnonzero(lengths)
        ending = filled[held[ends[filled] - 1] == end]
        kept[ends[ending] - 1] = False
        ends = ends.copy()
        ends[ending] -= 1
        lengths[ending] -= 1
    edges = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    buffers = (pa.py_buffer(edges), pa.py_buffer(held[kept].tobytes()))
    return pa.StringArray.from_buffers(len(texts), *buffers)


def _bounded(texts: Any) -> Any:
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if longest <= MAX_RAW_BYTES:
        return texts
    return pa.array(map(_cut, texts.to_pylist()), pa.string())


def _cut(raw: str) -> str:
    """The text, cut to 64 KiB of UTF-8 and marked when it is longer."""
    if len(raw) * MAX_BYTES_OF_A_CHARACTER <= MAX_RAW_BYTES:
        return raw
    encoded = raw.encode()
    if len(encoded) <= MAX_RAW_BYTES:
        return raw
    kept = encoded[:MAX_RAW_BYTES].decode(errors="ignore")
    return f"{kept}… [cut: the record is longer than {MAX_RAW_BYTES:,} bytes]"
