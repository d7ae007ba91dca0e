"""A seeded, realistic month of an invented shop as CSV files, with a few bad rows in it.

Used by `ecp demo`, `ecp sample` and the benchmarks; nothing here knows the pipeline.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from infra.ecp.demo.sample_catalogue import (
    BAD_ORDER_ITEMS,
    BAD_ORDERS,
    BAD_PRODUCTS,
    CATALOGUE,
    DEFAULT_MONTH,
    DEFAULT_SEED,
)

ORDERS_PER_SCALE = 420
CHUNK_ORDERS = 50_000  # orders held in memory at once, so that any scale needs about 100 MB
FIRST_ORDER_ID = 100_001
FIRST_USER_ID = 5_001
FIRST_BAD_ID = 9_000_001


@dataclass(frozen=True)
class Products:
    """The catalogue as arrays, one position per product."""

    ids: Any
    categories: Any
    names: tuple[str, ...]
    prices_cents: Any
    shares: Any
    return_rates: Any


@dataclass
class SampleShop:
    """What was written: the files and how many rows of each sort they hold."""

    directory: Path
    files: list[Path] = field(default_factory=list)
    orders: int = 0
    order_items: int = 0
    products: int = 0
    bad_rows: int = 0
    restated_orders: int = 0


def write_sample_shop(
    directory: Path,
    *,
    scale: int = 1,
    seed: int = DEFAULT_SEED,
    month: date = DEFAULT_MONTH,
) -> SampleShop:
    """Write `orders/*.csv`, `order_items/*.csv` and `products/*.csv` under `directory`.

    The same arguments always give the same bytes. `orders` counts good rows, `bad_rows` those
    that must end in quarantine; `restated_orders` are orders of the first half of the month that
    the second half states again as returned (they count as duplicates of the first statement),
    and one order line names an order that has not arrived (it must wait).
    Raises ValueError for a scale below one.
    """
    if scale < 1:
        raise ValueError(f"scale must be 1 or more, not {scale}")
    rng = np.random.default_rng(seed)
    products = _catalogue()
    shop = SampleShop(directory)
    _write_products(shop, products)
    total = ORDERS_PER_SCALE * scale
    weights = day_weights(month)
    half = len(weights) // 2
    first_total = round(total * float(weights[:half].sum()))
    parts = ((0, half, first_total), (half, len(weights), total - first_total))
    next_id = FIRST_ORDER_ID
    restated: list[str] = []
    for part, (first_day, end_day, count) in enumerate(parts, start=1):
        name = f"{month:%Y-%m}-part{part}.csv"
        with (
            _csv(shop, "orders", name, "order_id,user_id,order_date,total_amount,status") as orders,
            _csv(shop, "order_items", name, "order_id,product_id,quantity,unit_price") as items,
        ):
            days = np.sort(
                rng.choice(
                    np.arange(first_day, end_day),
                    size=count,
                    p=weights[first_day:end_day] / weights[first_day:end_day].sum(),
                )
            )
            bad_orders, bad_items = _bad_rows(part, scale, month)
            shop.bad_rows += len(bad_orders) + len(bad_items)
            for chunk in _chunks(days):
                lines = _draw_chunk(rng, products, chunk, month, next_id, total)
                next_id += len(chunk)
                shop.orders += len(lines.orders)
                shop.order_items += len(lines.items)
                if part == 1:
                    restated += _returned_later(rng, lines.orders, wanted=3 * scale - len(restated))
                orders.writelines(_mixed(rng, lines.orders, bad_orders))
                items.writelines(_mixed(rng, lines.items, bad_items))
                bad_orders, bad_items = [], []
            if part == 2:
                orders.writelines(restated)
                shop.restated_orders = len(restated)
                shop.orders += len(restated)
                items.write(f"{next_id + 500_000},2001,1,599.00\n")  # an order still to come
                shop.order_items += 1
    return shop


def day_weights(month: date) -> Any:
    """The share of the month's orders on each day: weekends, payday and a slow growth."""
    days = calendar.monthrange(month.year, month.month)[1]
    weights = np.ones(days)
    for day in range(days):
        at = month + timedelta(days=day)
        weekend = 1.45 if at.weekday() >= 5 else 1.0
        payday = 1.25 if at.day >= 25 and at.day <= 28 else 1.0
        weights[day] = weekend * payday * (1 + 0.006 * day)
    return weights / weights.sum()


@dataclass(frozen=True)
class _Lines:
    orders: list[str]
    items: list[str]


def _catalogue() -> Products:
    rows = [
        (name, category, cents, share / len(entries), returns)
        for category, share, returns, entries in CATALOGUE
        for name, cents in entries
    ]
    shares = np.array([row[3] for row in rows])
    return Products(
        ids=np.arange(2001, 2001 + len(rows)),
        categories=tuple(row[1] for row in rows),
        names=tuple(row[0] for row in rows),
        prices_cents=np.array([row[2] for row in rows]),
        shares=shares / shares.sum(),
        return_rates=np.array([row[4] for row in rows]),
    )


def _chunks(days: Any) -> Iterator[Any]:
    for start in range(0, len(days), CHUNK_ORDERS):
        yield days[start : start + CHUNK_ORDERS]


def _draw_chunk(
    rng: Any, products: Products, days: Any, month: date, first_id: int, total: int
) -> _Lines:
    """One run of orders with their lines, drawn as arrays and written as text once."""
    count = len(days)
    lines_per_order = rng.choice([1, 2, 3, 4, 5], size=count, p=[0.46, 0.27, 0.15, 0.08, 0.04])
    owner = np.repeat(np.arange(count), lines_per_order)
    product = rng.choice(len(products.ids), size=len(owner), p=products.shares)
    quantity = rng.choice([1, 2, 3, 6], size=len(owner), p=[0.78, 0.15, 0.05, 0.02])
    discount = rng.choice([100, 90, 75], size=len(owner), p=[0.85, 0.10, 0.05])
    unit_cents = np.maximum(products.prices_cents[product] * discount // 100, 1)
    totals = np.bincount(owner, weights=unit_cents * quantity, minlength=count).astype(np.int64)
    keeps = np.ones(count)
    np.multiply.at(keeps, owner, 1 - products.return_rates[product])
    returned = rng.random(count) > keeps
    other = rng.random(count)
    users = FIRST_USER_ID + (rng.pareto(1.6, size=count) * total / 12).astype(np.int64) % (
        max(total // 2, 1)
    )
    ids = np.arange(first_id, first_id + count)
    dates = [str(month + timedelta(days=int(day))) for day in range(31)]
    orders = [
        f"{id_},{user},{dates[day]},{cents // 100}.{cents % 100:02d},{_status(back, roll)}\n"
        for id_, user, day, cents, back, roll in zip(
            ids.tolist(),
            users.tolist(),
            days.tolist(),
            totals.tolist(),
            returned.tolist(),
            other.tolist(),
            strict=True,
        )
    ]
    items = [
        f"{id_},{product_id},{count_},{cents // 100}.{cents % 100:02d}\n"
        for id_, product_id, count_, cents in zip(
            ids[owner].tolist(),
            products.ids[product].tolist(),
            quantity.tolist(),
            unit_cents.tolist(),
            strict=True,
        )
    ]
    return _Lines(orders, items)


def _status(returned: bool, roll: float) -> str:
    if returned:
        return "returned"
    if roll < 0.03:
        return "cancelled"
    return "shipped" if roll < 0.10 else "completed"


def _returned_later(rng: Any, orders: list[str], wanted: int) -> list[str]:
    """Completed orders of the first half, stated again as returned."""
    completed = [line for line in orders if line.endswith(",completed\n")]
    if wanted <= 0 or not completed:
        return []
    picks = rng.choice(len(completed), size=min(wanted, len(completed)), replace=False)
    return [completed[pick].replace(",completed\n", ",returned\n") for pick in sorted(picks)]


def _bad_rows(part: int, scale: int, month: date) -> tuple[list[str], list[str]]:
    """Orders and order lines: half of the kinds in each part, each once per unit of scale."""
    values = {"user": FIRST_USER_ID, "day": month + timedelta(days=14), "product": 2002}
    orders, items = (
        [
            template.format(id=FIRST_BAD_ID + 10 * number + 2 * kind + part - 1, **values) + "\n"
            for number in range(scale)
            for kind, template in enumerate(templates[part - 1 :: 2])
        ]
        for templates in (BAD_ORDERS, BAD_ORDER_ITEMS)
    )
    return orders, items


def _mixed(rng: Any, lines: list[str], bad: list[str]) -> Iterator[str]:
    """The lines with the bad ones among them, at places drawn once."""
    places = iter(
        sorted(zip(rng.integers(0, len(lines) + 1, size=len(bad)).tolist(), bad, strict=True))
    )
    place, row = next(places, (-1, ""))
    for number, line in enumerate(lines):
        while place == number:
            yield row
            place, row = next(places, (-1, ""))
        yield line
    while place >= 0:
        yield row
        place, row = next(places, (-1, ""))


def _write_products(shop: SampleShop, products: Products) -> None:
    with _csv(shop, "products", "catalogue.csv", "product_id,category,name,price") as sink:
        for id_, category, name, cents in zip(
            products.ids.tolist(),
            products.categories,
            products.names,
            products.prices_cents.tolist(),
            strict=True,
        ):
            quoted = '"' + name.replace('"', '""') + '"' if set(name) & set(',"') else name
            sink.write(f"{id_},{category},{quoted},{cents // 100}.{cents % 100:02d}\n")
            shop.products += 1
        for template in BAD_PRODUCTS:
            sink.write(template.format(product=2001 + shop.products) + "\n")
            shop.bad_rows += 1


def _csv(shop: SampleShop, kind: str, name: str, header: str) -> Any:
    path = shop.directory / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    sink = path.open("w", encoding="utf-8", newline="")
    sink.write(header + "\n")
    shop.files.append(path)
    return sink
