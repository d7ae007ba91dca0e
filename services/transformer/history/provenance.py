"""What stands behind one number: the rows of the facts that give it, and whose files they are."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.engines.port import Engine, Session, load_whole
from services.transformer.facts.reading import DATED_TABLES, kpis_at
from services.transformer.facts.tables import Heads, OnDays


@dataclass(frozen=True)
class Contribution:
    """The rows of one file of one batch; `cents` is what they sum up to.

    Of order lines: line_amount; of orders: total_amount.
    """

    kind: str
    batch_id: str
    source_key: str
    rows: int
    orders: int
    quantity: int | None
    cents: int
    returned_orders: int | None


@dataclass(frozen=True)
class Evidence:
    """The number as the facts give it, None for none, and what it is made of."""

    kpi: OrderDay | CategoryDay | None
    contributions: tuple[Contribution, ...]
    rows: tuple[dict[str, Any], ...] = ()


def evidence_of(
    engine: Engine,
    heads: Heads,
    day: date,
    category: str | None,
    *,
    with_rows: bool = False,
    most_rows: int | None = None,
) -> Evidence:
    """Of a category on a day, or (category None) of all orders of the day.

    Of a category also the orders count: their status makes its return rate. With rows come all
    order lines, or the first `most_rows` by batch, file and line.
    """
    computed = kpis_at(engine, heads, [day])
    kpi = next((kpi for kpi in computed if kpi.category == category), None)
    with engine.session() as session:
        for table in DATED_TABLES:
            load_whole(session, f"day_{table}", table, OnDays(frozenset((day,))), heads)
        chosen = "true" if category is None else f"{CATEGORY} = {_quoted(category)}"
        contributions = (*_lines(session, chosen), *_orders(session, chosen, category))
        rows = _rows(session, chosen, most_rows) if with_rows else ()
    return Evidence(kpi, contributions, rows)


CATEGORY = "coalesce(category, 'Unknown')"
ROW_COLUMNS = (
    "batch_id",
    "source_key",
    "source_line",
    "order_id",
    "product_id",
    "line_id",
    "quantity",
    "unit_price_cents",
    "line_amount_cents",
    "added_to_total_cents",
)


def _lines(session: Session, chosen: str) -> list[Contribution]:
    found = session.fetch(
        "select batch_id, source_key, count(*), count(distinct order_id), sum(quantity), "
        "sum(cast(line_amount_cents as decimal(38, 0))) "
        f"from day_order_items where {chosen} group by batch_id, source_key order by 1, 2"
    )
    return [
        Contribution("order_items", batch_id, key, rows, orders, int(quantity), int(cents), None)
        for batch_id, key, rows, orders, quantity, cents in found
    ]


def _orders(session: Session, chosen: str, category: str | None) -> list[Contribution]:
    with_lines = f"where order_id in (select order_id from day_order_items where {chosen})"
    found = session.fetch(
        "select batch_id, source_key, count(*), "
        "sum(cast(total_amount_cents as decimal(38, 0))), "
        "sum(case when status = 'returned' then 1 else 0 end) "
        f"from day_orders {with_lines if category is not None else ''} "
        "group by batch_id, source_key order by 1, 2"
    )
    return [
        Contribution("orders", batch_id, key, rows, rows, None, int(cents), int(returned))
        for batch_id, key, rows, cents, returned in found
    ]


def _rows(session: Session, chosen: str, most: int | None) -> tuple[dict[str, Any], ...]:
    found = session.fetch(
        f"select {', '.join(ROW_COLUMNS)} from day_order_items where {chosen} order by 1, 2, 3"
        + ("" if most is None else f" limit {most}")
    )
    return tuple(dict(zip(ROW_COLUMNS, row, strict=True)) for row in found)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
