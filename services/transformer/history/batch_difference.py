"""What a batch changed: the facts and KPIs at its snapshots against those published before it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from contracts.errors import PipelineError
from contracts.layout import KINDS
from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.engines.port import Engine, Session, load_whole
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.facts.reading import DATED_TABLES, kpis_at, spans
from services.transformer.facts.retention import published_before, tag_of
from services.transformer.facts.tables import Everything, Heads, OnDays, Partition

Kpi = OrderDay | CategoryDay
CHANGES = (
    "orders_added",
    "orders_restated",
    "orders_retotalled",
    "orders_moved_in",
    "orders_moved_away",
    "lines_added",
    "lines_restated",
    "lines_replaced",
    "lines_removed",
    "lines_moved_in",
    "lines_moved_away",
    "lines_categorised",
)
"""Counted per day. `restated` lines stand where the `replaced` ones stood before; of `removed` ones
their order, stated whole, has none any more. Lines changed the total of `retotalled` orders."""


class KeptNoLonger(PipelineError):
    """What a batch changed can be told no more; the message says why."""


@dataclass(frozen=True)
class Around:
    """The published facts before a batch and after it."""

    before: Heads
    after: Heads


@dataclass(frozen=True)
class KpiDifference:
    """One KPI item before and after; None: it was not there, or is gone."""

    before: OrderDay | CategoryDay | None
    after: OrderDay | CategoryDay | None

    @property
    def order_date(self) -> date:
        """The day of the item."""
        return self._either.order_date

    @property
    def category(self) -> str | None:
        """The category of the item; None: it is of all orders of the day."""
        return self._either.category

    @property
    def _either(self) -> OrderDay | CategoryDay:
        found = self.after or self.before
        if found is None:
            raise PipelineError("a KPI that is neither before nor after is no difference")
        return found


@dataclass(frozen=True)
class Difference:
    """Counts of CHANGES by day (None: lines that wait for their order), products, KPI items."""

    days: dict[Partition, dict[str, int]]
    products_added: int
    products_restated: int
    kpis: tuple[KpiDifference, ...]


def snapshots_around(facts: FactsCatalog, batch_id: str) -> Around | None:
    """The snapshots that the batch's tag names, and those before; None for an unknown tag.

    Raises KeptNoLonger when what was before is gone.
    """
    before, after, tag = {}, {}, tag_of(batch_id)
    for name in KINDS:
        table = facts.table(name)
        if tag not in table.refs():
            return None
        earlier = published_before(table.metadata, tag)
        if earlier is None:
            raise KeptNoLonger(
                f"the facts before batch {batch_id} are kept no longer: it cannot be compared"
            )
        before[name], after[name] = earlier, int(table.refs()[tag].snapshot_id)
    return Around(before, after)


def difference(facts: FactsCatalog, engine: Engine, batch_id: str, around: Around) -> Difference:
    """Compare the days whose files differ."""
    partitions = _changed_partitions(facts, around)
    days = frozenset(day for day in partitions if day is not None)
    with engine.session() as session:
        for when, heads in (("before", around.before), ("after", around.after)):
            for table in DATED_TABLES:
                rows = OnDays(days, waiting=table == "order_items")
                load_whole(session, f"{when}_{table}", table, rows, heads)
            load_whole(session, f"{when}_products", "products", Everything(), heads)
        counted = _count(session, batch_id)
        added, restated = _products(session, batch_id)
    kpis = [each for span in spans(sorted(days)) for each in _kpis(engine, around, span)]
    return Difference(counted, added, restated, tuple(kpis))


def _changed_partitions(facts: FactsCatalog, around: Around) -> set[Partition]:
    changed: set[Partition] = set()
    for name in DATED_TABLES:
        table = facts.table(name)
        before = {f.file_path: f for f in data_files(table, around.before[name])}
        after = {f.file_path: f for f in data_files(table, around.after[name])}
        for path in before.keys() ^ after.keys():
            changed.add(partition_of(before.get(path) or after[path]))
    return changed


ORDERS = """
select before_orders.order_date, after_orders.order_date,
       after_orders.batch_id is not distinct from '{batch_id}', count(*)
from before_orders
full join after_orders on after_orders.order_id = before_orders.order_id
where after_orders.batch_id = '{batch_id}'
   or before_orders.order_date is distinct from after_orders.order_date
   or before_orders.total_amount_cents <> after_orders.total_amount_cents
group by 1, 2, 3
"""
LINES = """
select before_lines.order_date, after_lines.order_date,
       before_lines.batch_id is not null, after_lines.batch_id is not null,
       exists (
           select 1 from before_order_items as stated
           where stated.order_id = after_lines.order_id
             and (stated.product_id = after_lines.product_id
                  or stated.line_id = after_lines.line_id)
       ) or exists (
           select 1 from after_order_items as stated
           where stated.order_id = before_lines.order_id
             and (stated.product_id = before_lines.product_id
                  or stated.line_id = before_lines.line_id)
       ),
       count(*)
from before_order_items as before_lines
full join after_order_items as after_lines
  on after_lines.batch_id = before_lines.batch_id
 and after_lines.source_key = before_lines.source_key
 and after_lines.source_line = before_lines.source_line
where before_lines.batch_id is null or after_lines.batch_id is null
   or before_lines.order_date is distinct from after_lines.order_date
   or before_lines.category is distinct from after_lines.category
group by 1, 2, 3, 4, 5
"""
PRODUCTS = """
select before_products.product_id is not null, count(*)
from after_products
left join before_products on before_products.product_id = after_products.product_id
where after_products.batch_id = '{batch_id}'
group by 1
"""


def _count(session: Session, batch_id: str) -> dict[Partition, dict[str, int]]:
    """A line is known by its place in its file: (batch_id, source_key, source_line)."""
    days: dict[Partition, dict[str, int]] = defaultdict(lambda: dict.fromkeys(CHANGES, 0))
    for before, after, is_stated, count in session.fetch(ORDERS.format(batch_id=batch_id)):
        for day, change in order_changes(before, after, is_stated=is_stated):
            days[day][change] += count
    for before, after, was, stands, has_other, count in session.fetch(LINES):
        for day, change in line_changes(before, after, was, stands, has_other):
            days[day][change] += count
    return in_order(days)


def in_order(days: Mapping[Partition, dict[str, int]]) -> dict[Partition, dict[str, int]]:
    """By day; what waits for a day comes last."""
    return dict(sorted(days.items(), key=lambda each: each[0] or date.max))


def order_changes(
    before: date | None, after: date | None, *, is_stated: bool
) -> Iterator[tuple[Partition, str]]:
    """What becomes of an order that stood on one day and stands on another, for each day."""
    if before is None:
        yield after, "orders_added"
    elif before == after:
        yield after, "orders_restated" if is_stated else "orders_retotalled"
    else:
        yield before, "orders_moved_away"
        if after is not None:
            yield after, "orders_moved_in"


def line_changes(
    before: date | None, after: date | None, was: bool, stands: bool, has_other: bool
) -> Iterator[tuple[Partition, str]]:
    """`has_other`: there is a line of its pair, or of its line_id, on the other side."""
    if not was:
        yield after, "lines_restated" if has_other else "lines_added"
    elif not stands:
        yield before, "lines_replaced" if has_other else "lines_removed"
    elif before != after:
        yield before, "lines_moved_away"
        yield after, "lines_moved_in"
    else:
        yield after, "lines_categorised"


def _products(session: Session, batch_id: str) -> tuple[int, int]:
    counts = dict(session.fetch(PRODUCTS.format(batch_id=batch_id)))
    return counts.get(False, 0), counts.get(True, 0)


def _kpis(engine: Engine, around: Around, days: list[date]) -> Iterator[KpiDifference]:
    before, after = (kpis_at(engine, heads, days) for heads in (around.before, around.after))
    yield from kpi_differences(before, after)


def kpi_differences(before: Iterable[Kpi], after: Iterable[Kpi]) -> Iterator[KpiDifference]:
    """The items that are not the same, by day and category."""
    was, stands = ({_key(kpi): kpi for kpi in kpis} for kpis in (before, after))
    for key in sorted(was.keys() | stands.keys()):
        if was.get(key) != stands.get(key):
            yield KpiDifference(was.get(key), stands.get(key))


def _key(kpi: Kpi) -> tuple[date, str]:
    return kpi.order_date, kpi.category or ""
