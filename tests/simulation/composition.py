"""What the SQL computes, in dictionaries: the facts after a batch, and the KPIs of its days.

Put in the place of services/transformer/batch/merge_plan.py, which is tested against two engines;
test_facts_stand_in.py holds this one to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from contracts.messages import OrderTotals, Restatement
from services.transformer.batch.kpis import CategoryDay, KpiChange, KpiKey, OrderDay
from services.transformer.batch.merge_plan import MergePlan
from services.transformer.batch.publication import Stamp
from services.transformer.engines.port import StagedFile
from services.transformer.facts.tables import Heads
from services.transformer.history.own_changes import OwnChanges
from tests.simulation.facts import FACTS, KPI_TABLES, SimulatedFacts, SimulatedSession, Write


class Order(NamedTuple):
    """One row of `orders`."""

    order_date: date
    user_id: str
    cents: int
    status: str


class Line(NamedTuple):
    """One row of `order_items`; its day is its order's."""

    quantity: int
    cents: int
    category: str | None


def compose(
    session: SimulatedSession, batch_id: str, files: Sequence[StagedFile], heads: Heads
) -> MergePlan:
    """As services.transformer.batch.merge_plan.plan_merge."""
    orders = dict(session.rows("orders", heads))
    items = dict(session.rows("order_items", heads))
    products = dict(session.rows("products", heads))
    day_of = dict(session.rows("order_days", heads))
    before = (dict(orders), dict(items), dict(products), dict(day_of))
    read: dict[tuple[str, int], int] = defaultdict(int)
    accepted: dict[tuple[str, int], int] = defaultdict(int)
    days: set[date] = set()
    stated: dict[str, dict[str, int]] = {"orders": {}, "products": {}}
    lines: dict[tuple[str, str], tuple[int, list[Line]]] = {}
    for file in sorted(files, key=lambda one: one.file_index):
        for row in session.read(str(file.path)):
            read[file.kind, file.file_index] += 1
            if file.kind == "orders":
                orders[row["order_id"]] = _order(row)
                stated["orders"][row["order_id"]] = file.file_index
            elif file.kind == "products":
                products[row["product_id"]] = row["category"]
                stated["products"][row["product_id"]] = file.file_index
            else:
                pair = row["order_id"], row["product_id"]
                if pair not in lines or lines[pair][0] != file.file_index:
                    lines[pair] = file.file_index, []
                lines[pair][1].append(Line(int(row["quantity"]), _cents(row["unit_price"]), None))
    for kind, by_key in stated.items():
        for index in by_key.values():
            accepted[kind, index] += 1
    for pair, (index, new) in lines.items():
        accepted["order_items", index] += len(new)
        known = items[pair][0].category if pair in items else None
        items[pair] = tuple(line._replace(category=known) for line in new)
    days |= {day_of[one] for one in stated["orders"] if one in day_of}
    day_of |= {one: orders[one].order_date for one in stated["orders"]}
    days |= {day_of[one] for one in stated["orders"]}
    touched = set(lines)
    for pair, standing in items.items():
        category = products.get(pair[1])
        if category is not None and any(line.category is None for line in standing):
            items[pair] = tuple(
                line._replace(category=line.category or category) for line in standing
            )
            touched.add(pair)
    days |= {orders[order_id].order_date for order_id, _ in touched if order_id in orders}
    after = (orders, items, products, day_of)
    changed = (
        ("orders", bool(stated["orders"])),
        ("order_items", bool(touched)),
        (
            "products",
            bool(stated["products"]),
        ),
        ("order_days", day_of != before[3]),
    )
    counts_before = dict(zip(FACTS, map(_count, before), strict=True))
    counts_after = dict(zip(FACTS, map(_count, after), strict=True))
    rows_of = dict(zip(FACTS, after, strict=True))
    return MergePlan(
        affected_days=sorted(days),
        writes=[
            Write(table, rows_of[table], counts_after[table])
            for table, yes in changed
            if yes  # type: ignore[misc]
        ],
        accepted_rows=dict(accepted),
        superseded_rows={file: rows - accepted[file] for file, rows in read.items()},
        replaced_rows=counts_before,
        written_rows=counts_after,
        waiting_order_items=sum(
            len(v) for (order_id, _), v in items.items() if order_id not in orders
        ),
        order_totals=OrderTotals(differing=0, worst=[]),
        restated=Restatement(orders=0, order_items=0, products=0, examples=[]),
        guests=sum(not orders[one].user_id for one in stated["orders"]),
        kpis=_change(before, after, days),
    )


def kpis_between(
    session: SimulatedSession, before: Heads, after: Heads, days: Sequence[date]
) -> KpiChange:
    """As services.transformer.batch.merge_plan.kpis_between."""
    old, new = (tuple(session.rows(table, heads) for table in FACTS) for heads in (before, after))
    return _change(old, new, days)


def own_changes(session: SimulatedSession) -> OwnChanges:
    """As services.transformer.history.own_changes; what changed is told of the KPIs alone."""
    return OwnChanges({}, 0, 0)


def write_kpis(
    facts: SimulatedFacts,
    epoch: int,
    kpis: Iterable[OrderDay | CategoryDay],
    days: Collection[date] | None,
    stamp: Stamp,
) -> list[OrderDay | CategoryDay]:
    """As services.transformer.facts.kpi_tables.write_kpis; what was there before is not told."""
    found = list(kpis)
    for name, kind in zip(KPI_TABLES, (OrderDay, CategoryDay), strict=True):
        standing = facts.snapshot(name, facts.branch_heads(epoch)[name]).rows
        rows = {
            key: item for key, item in standing.items() if days is not None and key[0] not in days
        }
        rows |= {(one.order_date, one.category): one.item() for one in found if type(one) is kind}
        writer = {"batch_id": stamp.batch_id, "epoch": str(epoch)}
        facts.replace_rows(name, epoch, rows, len(rows), writer)
    return []


def _change(before: Any, after: Any, days: Iterable[date]) -> KpiChange:
    wanted = set(days)
    old_days, old_categories = _kpis(before, wanted)
    new_days, new_categories = _kpis(after, wanted)
    published = [KpiKey(one.order_date, None) for one in old_days]
    published += [KpiKey(one.order_date, one.category) for one in old_categories]
    return KpiChange.between(published, new_days, new_categories)


def _kpis(facts: Any, days: set[date]) -> tuple[list[OrderDay], list[CategoryDay]]:
    orders, items, *_ = facts
    of_day: dict[date, list[str]] = defaultdict(list)
    for order_id, order in orders.items():
        if order.order_date in days:
            of_day[order.order_date].append(order_id)
    sold: dict[str, int] = defaultdict(int)
    revenue: dict[tuple[date, str], int] = defaultdict(int)
    buyers: dict[tuple[date, str], set[str]] = defaultdict(set)
    for (order_id, _), lines in items.items():
        order = orders.get(order_id)
        if order is None or order.order_date not in days:
            continue
        for line in lines:
            sold[order_id] += line.quantity
            key = order.order_date, line.category or "Unknown"
            revenue[key] += line.quantity * line.cents
            buyers[key].add(order_id)
    order_days = [
        OrderDay(
            day,
            len(ids),
            sum(orders[one].cents for one in ids),
            sum(sold[one] for one in ids),
            sum(orders[one].status == "returned" for one in ids),
            len({orders[one].user_id for one in ids} - {""}),
            sum(not orders[one].user_id for one in ids),
        )
        for day, ids in of_day.items()
    ]
    category_days = [
        CategoryDay(
            day,
            category,
            cents,
            len(buyers[day, category]),
            sum(orders[one].status == "returned" for one in buyers[day, category]),
        )
        for (day, category), cents in revenue.items()
    ]
    return order_days, category_days


def _order(row: dict[str, str]) -> Order:
    return Order(
        date.fromisoformat(row["order_date"]),
        row["user_id"],
        _cents(row["total_amount"]),
        row["status"].lower(),
    )


def _cents(text: str) -> int:
    return int(Decimal(text) * 100)


def _count(rows: dict[Any, Any]) -> int:
    return sum(len(one) if type(one) is tuple else 1 for one in rows.values())
