"""What a batch changes, told by itself from what it has in hand: nothing of the facts is read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from services.transformer.batch.kpis import KpiChange
from services.transformer.engines.port import Session
from services.transformer.facts.tables import Partition
from services.transformer.history.batch_difference import (
    CHANGES,
    Difference,
    Kpi,
    in_order,
    kpi_differences,
    line_changes,
    order_changes,
)

RELATIONS = ("changed_orders", "line_keys", "changed_lines", "changed_products")
QUERIES = (
    "select old_order_date, order_date, is_stated, row_count from changed_orders",
    "select old_order_date, order_date, outcome, has_other, row_count from changed_lines",
    "select stated, stood from changed_products",
)


@dataclass(frozen=True)
class OwnChanges:
    """Counts of CHANGES by day, and products, as a Difference has them."""

    days: dict[Partition, dict[str, int]]
    products_added: int
    products_restated: int


def own_changes(session: Session) -> OwnChanges:
    """After `plan_merge` in the same session; by the rules of `difference`, of whole snapshots."""
    for relation in RELATIONS:
        session.run(relation)
    orders, lines, [(stated, stood)] = session.fetch_each(*QUERIES)
    days: dict[Partition, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CHANGES, 0))
    for before, after, is_stated, count in orders:
        for day, change in order_changes(before, after, is_stated=bool(is_stated)):
            days[day][change] += int(count)
    for before, after, outcome, has_other, count in lines:
        was, stands = outcome != "new", outcome != "restated"
        for day, change in line_changes(before, after, was, stands, bool(has_other)):
            days[day][change] += int(count)
    return OwnChanges(in_order(days), int(stated - stood), int(stood))


def own_difference(changes: OwnChanges, before: Iterable[Kpi], after: KpiChange) -> Difference:
    """With the KPIs of its days before it and after it."""
    return Difference(
        changes.days,
        changes.products_added,
        changes.products_restated,
        tuple(kpi_differences(before, after.standing())),
    )
