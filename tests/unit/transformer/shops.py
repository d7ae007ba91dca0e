"""Random shops: batches of new, late, corrected, moved, waiting, repeated and unknown rows.

The pools are small, so that rows meet; the texts are such as sort, quote or fold in odd ways.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from tests.support.transforming import Batch, Row, line, order, product

ORDER_IDS = ["1", "10", "2", "é", "e\u0301", "a'b", 'a"b', "%_", "😀", "\uffe5", "z" * 64]
"""Both of the pairs 10 and 2, and U+1F600 and U+FFE5, sort differently as UTF-16 or numbers."""
PRODUCT_IDS = ["p1", "P1", "p2", "ürün ☕", "null", "o'k"]
CATEGORIES = ["Books", "books", "Unknown", "Bücher, alt", "null", "🎲", "a\\b"]
DAYS = ["1970-01-01", "2024-02-29", "2025-07-07", "2025-07-08"]
AMOUNTS = ["0", "0.01", "0.10", "0.20", "0.29", "10.00", "9999999999.99"]

orders = st.builds(
    order,
    st.sampled_from(ORDER_IDS),
    st.sampled_from(DAYS),
    user_id=st.sampled_from(["u1", "u2", "U1", ""]),
    total_amount=st.sampled_from(AMOUNTS),
    total_extra=st.sampled_from([None, None, "0", "4.95", "-0.29"]),
    status=st.sampled_from(["completed", "returned", "Returned", "pending"]),
)
lines = st.builds(
    line,
    st.sampled_from(ORDER_IDS),
    st.sampled_from(PRODUCT_IDS),
    st.sampled_from([1, 2, 1_000_000]),
    st.sampled_from(AMOUNTS),
    line_id=st.sampled_from(["", "", "l1", "L1", "2"]),
    line_amount=st.sampled_from(["", "", "0", "0.01", "9.99"]),
    added_to_total=st.sampled_from(["", "", "0.00", "4.95"]),
)
products = st.builds(product, st.sampled_from(PRODUCT_IDS), st.sampled_from(CATEGORIES))


def _once(rows: list[Row], *identity: str) -> list[Row]:
    """The validator leaves one row of each identity in a file: the last."""
    last = {tuple(row[name] for name in identity): number for number, row in enumerate(rows)}
    return [row for number, row in enumerate(rows) if number in last.values()]


def _numbered_once(rows: list[Row]) -> list[Row]:
    """So it does of lines with an id, also where they are alike in everything."""
    last = {
        (row["order_id"], row["line_id"]): number
        for number, row in enumerate(rows)
        if "line_id" in row
    }
    return [
        row for number, row in enumerate(rows) if "line_id" not in row or number in last.values()
    ]


files: st.SearchStrategy[tuple[str, list[Row]]] = st.one_of(
    st.tuples(
        st.just("orders"),
        st.lists(orders, max_size=5).map(lambda rows: _once(rows, "order_id")),
    ),
    st.tuples(st.just("order_items"), st.lists(lines, max_size=6).map(_numbered_once)),
    st.tuples(
        st.just("products"),
        st.lists(products, max_size=3).map(lambda rows: _once(rows, "product_id")),
    ),
)
"""One input, as the validator leaves it."""


class SourceFile(NamedTuple):
    """One input that gives several kinds, as the validator leaves them."""

    kind: str
    rows: list[Row]
    also: dict[str, list[Row]]
    whole: bool


source_files = st.builds(
    SourceFile,
    st.just("order_items"),
    st.lists(lines, max_size=6).map(_numbered_once),
    st.fixed_dictionaries(
        {},
        optional={
            "orders": st.lists(orders, max_size=4).map(lambda rows: _once(rows, "order_id")),
            "products": st.lists(products, max_size=2).map(lambda rows: _once(rows, "product_id")),
        },
    ),
    st.sampled_from([True, True, False]),
)
any_files: st.SearchStrategy[SourceFile] = st.one_of(
    files.map(lambda file: SourceFile(*file, {}, whole=False)), source_files
)


def batch_of(given: Sequence[SourceFile], statements: Mapping[int, str] | None = None) -> Batch:
    """The files in this order, in one batch."""
    return Batch(
        [(file.kind, file.rows) for file in given],
        statements=statements or {},
        also={index: file.also for index, file in enumerate(given) if file.also},
        whole=[index for index, file in enumerate(given) if file.whole],
    )


def an_export(orders: Sequence[Row], lines: Sequence[Row], *, whole: bool = True) -> SourceFile:
    return SourceFile("order_items", list(lines), {"orders": list(orders)}, whole)


def plain(*lines: Row) -> SourceFile:
    return SourceFile("order_items", list(lines), {}, whole=False)


def _of_one_category(row: Row) -> Row:
    if "category" not in row:
        return row
    return {**row, "category": CATEGORIES[PRODUCT_IDS.index(row["product_id"])]}


kept_apart_by_category = any_files.map(
    lambda file: file._replace(
        rows=list(map(_of_one_category, file.rows)),
        also={kind: list(map(_of_one_category, rows)) for kind, rows in file.also.items()},
    )
)
"""As `any_files`, each product always of one category: a new one counts from its batch on."""
part_names = st.dictionaries(
    st.integers(0, 4), st.sampled_from(["manifests/a.json", "manifests/b.json"]), max_size=4
)
batches: st.SearchStrategy[Batch] = st.builds(
    batch_of, st.lists(any_files, min_size=1, max_size=5), part_names
)
"""Some of the files are parts of one statement, some give several kinds, some whole orders."""
shops = st.lists(batches, min_size=2, max_size=5)
"""Batch after batch."""
