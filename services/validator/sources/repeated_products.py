"""Products that order lines state, row by row: the last value of each column stands."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.validator.reading.arrow_checks import SOURCE_LINE
from services.validator.reading.duplicate_candidates import hashes_of
from services.validator.reading.duplicates import HASH, Pile

PRODUCT_ID = "product_id"


def add_products(pile: Pile, products: Any, seed: int) -> None:
    """Checked rows of a block, with their lines: one for each product goes on the pile."""
    if products.num_rows:
        standing = last_of_each(products)
        hashes = hashes_of([standing[PRODUCT_ID].combine_chunks()], seed)
        pile.add(standing.append_column(HASH, pa.array(hashes, pa.uint64())))


def products_of(pile: Pile) -> Iterator[Any]:
    """The products of each part of the pile, each once."""
    for read in pile.parts():
        tables = [*read()]
        if tables:
            yield last_of_each(pa.concat_tables(tables).drop_columns([HASH]))


def last_of_each(products: Any) -> Any:
    """A row for each product, with the last value that any of its rows has in each column."""
    codes = pc.dictionary_encode(products[PRODUCT_ID].combine_chunks()).indices.to_numpy()
    order = np.lexsort((products[SOURCE_LINE].to_numpy(), codes))
    rows, codes = products.take(pa.array(order)), codes[order]
    starts = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    columns = {}
    for name in rows.column_names:
        values = rows[name].combine_chunks()
        said = pc.is_valid(values).to_numpy(zero_copy_only=False)
        last = np.maximum.reduceat(np.where(said, np.arange(len(codes)), -1), starts)
        columns[name] = values.take(pa.array(np.maximum(last, 0), mask=last < 0))
    return pa.table(columns)
