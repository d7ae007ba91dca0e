"""The rows of a file as its source reads them: where each starts, its text, and what it states."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Any

import pyarrow as pa

from contracts.sources.model import Source
from services.runtime.sources.shaped import Shaped
from services.validator.quarantine.source_replay import ReadRow
from services.validator.reading.arrow_texts import without_formulas
from services.validator.reading.line_blocks import BLOCK_BYTES
from services.validator.reading.quarantined_rows import without_line_ends
from services.validator.sources.file_reading import SourceFile

PRODUCT_ID = "product_id"


@dataclass(frozen=True)
class ReadFile:
    """A file's column names, and its rows that are no blank lines."""

    names: tuple[str, ...]
    rows: tuple[ReadRow, ...]


def read_file(
    open_stream: Callable[[], AbstractContextManager[Any]],
    source: Source,
    lookups: Mapping[str, pa.Table],
    *,
    name: str,
) -> ReadFile:
    """Read a whole file by a source, without judging its rows; raises BadFile."""
    # No expression asks what day it is: that is for the checks.
    file = SourceFile(open_stream, source, name, date.min, lookups, BLOCK_BYTES)
    rows: list[ReadRow] = []
    with open_stream() as stream:
        opened = file.opened(stream)
        for cells, shaped in file.shaped(opened):
            products = _products(shaped)
            own = products if source.rows == "products" else _orders(shaped)
            for row in [
                *shaped.left_out["row"].to_pylist(),
                *(shaped.of_no_kind["row"].to_pylist() if len(source.kinds) == 1 else ()),
            ]:
                own[row] = None
            texts = without_line_ends(cells.raw).to_pylist()
            found = zip(cells.lines.tolist(), own, texts, products, strict=True)
            rows += _records(ReadRow(*each) for each in found)
    return ReadFile(tuple(opened.header.names), tuple(rows))


def _records(rows: Iterable[ReadRow]) -> Iterator[ReadRow]:
    """Rows of the file, each once: of several order lines in one, what any of them states."""
    for _, lines in groupby(rows, key=attrgetter("line")):
        together = [*lines]
        yield next((each for each in together if each.identity is not None), together[0])


def _orders(shaped: Shaped) -> list[str | None]:
    found: list[str | None] = without_formulas(shaped.order_ids).to_pylist()
    return found


def _products(shaped: Shaped) -> list[str | None]:
    found: list[str | None] = [None] * shaped.rows
    table = shaped.kinds.get("products")
    if table is not None:
        ids = without_formulas(table[PRODUCT_ID].combine_chunks().cast(pa.string())).to_pylist()
        for row, product_id in zip(table["row"].to_pylist(), ids, strict=True):
            found[row] = product_id
    return found
