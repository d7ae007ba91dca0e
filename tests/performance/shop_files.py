"""Large CSV files of an invented shop, made by columns; the same seed gives the same files."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from contracts.file_contracts import file_contract
from tests.performance.figures import LINES_PER_ORDER

PRODUCTS = 1_000
CATEGORIES = 12
WRONG_TOTAL_EVERY = 1_000
"""One order in so many is a cent off its lines, as where a discount was rounded."""
BAD_VALUES = {
    "order_date": "2025-02-30",
    "total_amount": "12.345",
    "user_id": "u" * 65,
    "unit_price": "free",
    "quantity": "0",
    "product_id": "",
}


@dataclass(frozen=True)
class ShopFiles:
    """One file of each kind, and how many orders are in it."""

    orders: Path
    order_items: Path
    products: Path
    size: int


def write_shop(
    folder: Path,
    orders: int,
    *,
    first_id: int = 1_000_001,
    first_day: date = date(2025, 7, 1),
    days: int = 31,
    bad_fraction: float = 0.0,
    seed: int = 7,
) -> ShopFiles:
    """So many orders over so many days and three lines each; `bad_fraction` is 0 to 1 of rows."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    files = ShopFiles(
        folder / "orders.csv", folder / "order_items.csv", folder / "products.csv", orders
    )
    ids = np.arange(first_id, first_id + orders)
    start = np.datetime64(first_day)
    lines = orders * LINES_PER_ORDER
    quantities = random.integers(1, 6, lines)
    prices = random.integers(100, 20_000, lines)
    totals = (quantities * prices).reshape(orders, LINES_PER_ORDER).sum(axis=1)
    totals[::WRONG_TOTAL_EVERY] += 1
    order_columns = {
        "order_id": _texts(ids),
        "user_id": _prefixed("user-", random.integers(0, max(orders // 5, 1), orders)),
        "order_date": _texts(np.sort(start + random.integers(0, days, orders))),
        "total_amount": _money(totals),
        "status": _chosen(["completed", "shipped", "pending", "returned"], random, orders),
    }
    line_columns = {
        "order_id": _texts(np.repeat(ids, LINES_PER_ORDER)),
        "product_id": _prefixed("P", random.integers(0, PRODUCTS, lines)),
        "quantity": _texts(quantities),
        "unit_price": _money(prices),
    }
    numbers = np.arange(PRODUCTS)
    product_columns = {
        "product_id": _prefixed("P", numbers),
        "category": _prefixed("Category ", numbers % CATEGORIES),
        "name": _prefixed("Thing ", numbers),
        "price": _money(random.integers(100, 20_000, PRODUCTS)),
    }
    _write(files.orders, _spoiled(order_columns, bad_fraction))
    _write(files.order_items, _spoiled(line_columns, bad_fraction))
    _write(files.products, product_columns)
    return files


Columns = dict[str, Any]


def _texts(values: Any) -> Any:
    return pc.cast(pa.array(values), pa.string())


def _prefixed(prefix: str, numbers: Any) -> Any:
    return pc.binary_join_element_wise(prefix, _texts(numbers), "")


def _money(cents: Any) -> Any:
    small = pc.utf8_lpad(_texts(cents % 100), width=2, padding="0")
    return pc.binary_join_element_wise(_texts(cents // 100), small, ".")


def _chosen(words: list[str], random: Any, count: int) -> Any:
    return pc.take(pa.array(words), pa.array(random.integers(0, len(words), count)))


def _spoiled(columns: Columns, bad_fraction: float) -> Columns:
    """Bad rows at even distances, each with one bad value, the columns in turn."""
    if not bad_fraction:
        return columns
    spoilt = [name for name in columns if name in BAD_VALUES]
    rows = np.arange(len(next(iter(columns.values()))))
    every = round(1 / bad_fraction)
    turn = np.where(rows % every == every - 1, (rows // every) % len(spoilt), -1)
    return {
        name: pc.if_else(pa.array(turn == spoilt.index(name)), BAD_VALUES[name], values)
        if name in spoilt
        else values
        for name, values in columns.items()
    }


def _write(path: Path, columns: Columns) -> None:
    """As exports look: a header, and quotes nowhere."""
    assert tuple(columns) == file_contract(path.stem).required_columns
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as sink:
        sink.write(",".join(columns).encode() + b"\n")
        pa_csv.write_csv(pa.table(columns), sink, options)
