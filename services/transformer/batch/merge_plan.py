"""Works out a batch's next facts and the KPIs of its days: the order of the SQL, for any engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from contracts.messages import OrderTotal, OrderTotals, ReplacedStatement, Restatement
from services.transformer.batch.kpis import CategoryDay, KpiChange, KpiKey, OrderDay
from services.transformer.engines.port import BranchWrite, Session, StagedFile, load_whole
from services.transformer.facts.order_index import find_old_days
from services.transformer.facts.tables import (
    INDEX,
    NOTHING,
    PLACE,
    SCHEMAS,
    Everything,
    Heads,
    InFiles,
    OfOrders,
    OnDays,
    Partition,
    Rows,
    Uncategorised,
)

DATED = ("orders", "order_items")
Fetched = Sequence[tuple[Any, ...]]
RowsByFile = dict[tuple[str, int], int]

ANY_REPEATED_ORDER = "select order_id from repeated_orders limit 1"
ANY_TOTAL_FROM_LINES = "select order_id from standing_orders where total_from_lines limit 1"

EXAMPLES = 3
REPLACEMENT = ("key", "line", "replaced_key", "replaced_line", "replaced_batch_id")
_PLACES = "source_key, source_line, replaced_key, replaced_line, replaced_batch_id"
_ALONE = f"cast(null as string), cast(null as string), {_PLACES}"
RESTATED = {
    "orders": (
        f"select order_id, {_ALONE} from restated_orders "
        f"order by order_id, replaced_file_index, replaced_line limit {EXAMPLES}"
    ),
    "order_items": (
        f"select order_id, product_id, line_id, {_PLACES} from restated_lines "
        "order by order_id, coalesce(line_id, product_id), replaced_file_index, replaced_line, "
        f"replaced_key, replaced_batch_id limit {EXAMPLES}"
    ),
    "products": (
        f"select product_id, {_ALONE} from restated_products "
        f"order by product_id, replaced_file_index, replaced_line limit {EXAMPLES}"
    ),
}
"""The first of what newer files replaced with other content, by kind."""

ORDER_TOTALS = (
    "select count(*) from order_totals",
    "select order_id, total_amount_cents, lines_cents from order_totals "
    "order by abs(total_amount_cents - lines_cents) desc, order_id limit 10",
)

KPI_QUERIES = (
    "select order_date, total_orders, total_revenue_cents, total_items_sold, "
    "returned_orders, unique_customers, guests from order_kpis",
    "select order_date, category, daily_revenue_cents, orders_with_category, "
    "returned_orders from category_kpis",
    "select order_date, category from published_keys",
)
KPI_COLUMNS = {
    "orders": ("order_id", "user_id", "order_date", "total_amount_cents", "status"),
    "order_items": ("order_id", "order_date", "category", "quantity", "line_amount_cents"),
}
"""All that the KPIs of a day are made of."""
KEY_COLUMNS = {"orders": ("order_date",), "order_items": ("order_date", "category")}


@dataclass(frozen=True)
class MergePlan:
    """What a batch does to the facts; row counts by table, rows of inputs by (kind, file index).

    Of an input's rows the `accepted` stand, a newer file of the batch replaced the `superseded`.
    `guests` are the batch's standing orders without a known user.
    """

    affected_days: Sequence[date]
    writes: Sequence[BranchWrite]
    accepted_rows: RowsByFile
    superseded_rows: RowsByFile
    replaced_rows: dict[str, int]
    written_rows: dict[str, int]
    waiting_order_items: int
    order_totals: OrderTotals
    restated: Restatement
    guests: int
    kpis: KpiChange


def plan_merge(
    session: Session, batch_id: str, files: Sequence[StagedFile], heads: Heads
) -> MergePlan:
    """Work out the facts after the batch and the KPIs of the days that it touches.

    Of the facts the rows of the orders that the batch mentions are read, found by the index; of the
    touched days the few columns that KPIs are made of; and whole data files from which rows go.
    Raises IndexOutOfStep when the index is not of these orders.
    """
    session.stage(batch_id, files)
    session.run("repeated_orders")
    _keep_last_statements(session, any_repeated=bool(session.fetch(ANY_REPEATED_ORDER)))
    find_old_days(session, heads)
    session.run("whole_statements")
    _find_orders_in_several_files(session, files, heads)
    _load_what_may_change(session, heads, any(file.kind == "products" for file in files))
    for relation in (
        "recategorised_lines",
        "current_order_items",
        "affected_days",
        "order_statements",
        "restated_orders",
        "product_statements",
        "restated_products",
        "standing_orders",
        "next_products",
        "contested_orders",
        "contested_lines",
        "pair_statements",
        "line_outcomes",
        "replaced_lines",
        "restated_lines",
        "pair_categories",
        "lines",
    ):
        session.run(relation)
    _total_orders(session)
    for relation in (
        "gone_orders",
        "coming_orders",
        "gone_order_items",
        "coming_order_items",
        "written_order_days",
        "replaced_rows",
        "written_rows",
        "accepted_rows",
        "superseded_rows",
        "restated_rows",
        "order_totals",
    ):
        session.run(relation)
    affected_days = _days(session.fetch("select order_date from affected_days"))
    writes = _writes(session, heads)
    _load_days(session, heads, affected_days, writes)
    session.run("waiting_order_items")
    _run_kpis(session)
    accepted, superseded, waiting, replaced, written, guests, restated, *rest = session.fetch_each(
        "select kind, file_index, row_count from accepted_rows",
        "select kind, file_index, row_count from superseded_rows",
        "select row_count from waiting_order_items",
        "select facts_table, row_count from replaced_rows",
        "select facts_table, row_count from written_rows",
        "select count(*) from batch_orders where user_id is null",
        "select kind, row_count from restated_rows",
        *RESTATED.values(),
        *ORDER_TOTALS,
        *KPI_QUERIES,
    )
    examples, (differing, worst, *kpis) = rest[: len(RESTATED)], rest[len(RESTATED) :]
    [(waiting_order_items,)] = waiting
    return MergePlan(
        affected_days=affected_days,
        writes=writes,
        accepted_rows={(kind, index): rows for kind, index, rows in accepted},
        superseded_rows={(kind, index): rows for kind, index, rows in superseded},
        replaced_rows=_counts(replaced),
        written_rows=_counts(written),
        waiting_order_items=waiting_order_items,
        order_totals=_order_totals(differing, worst),
        restated=_restatement(_counts(restated), dict(zip(RESTATED, examples, strict=True))),
        guests=int(guests[0][0]),
        kpis=_kpi_change(*kpis, days=affected_days),
    )


def kpis_between(session: Session, before: Heads, after: Heads, days: Sequence[date]) -> KpiChange:
    """The KPI change of some days between two states of the facts, as a pure function of them."""
    on_days = OnDays(frozenset(days))
    for when, heads, read in (("kpi", after, KPI_COLUMNS), ("previous", before, KEY_COLUMNS)):
        for table, columns in read.items():
            if when == "previous" and before[table] == after[table]:
                session.view(f"previous_{table}", f"kpi_{table}")
            else:
                session.load(f"{when}_{table}", table, columns, on_days, heads[table])
    _run_kpis(session)
    return _kpi_change(*session.fetch_each(*KPI_QUERIES), days=days)


def _keep_last_statements(session: Session, *, any_repeated: bool) -> None:
    """Most batches state each order once: then there is nothing to choose, and nothing to copy."""
    if any_repeated:
        session.run("batch_orders")
    else:
        session.view("batch_orders", "staged_orders")
    session.run("batch_products")


def _total_orders(session: Session) -> None:
    """Most shops state every total: then there is nothing to add up, and nothing to copy."""
    if session.fetch(ANY_TOTAL_FROM_LINES):
        session.run("next_orders")
    else:
        session.view("next_orders", "standing_orders")


def _order_totals(differing: Fetched, worst: Fetched) -> OrderTotals:
    """How many totals differ from their lines, and the ten worst."""
    return OrderTotals(
        differing=differing[0][0],
        worst=[
            OrderTotal(order_id=order_id, total_amount_cents=total, lines_cents=int(lines))
            for order_id, total, lines in worst
        ],
    )


def _restatement(counts: Mapping[str, int], found: Mapping[str, Fetched]) -> Restatement:
    """How much newer files replaced of what older ones stated."""
    examples = [
        ReplacedStatement(
            kind=kind,
            identity=[order_or_product] + [one for one in (line_id or product_id,) if one],
            **dict(zip(REPLACEMENT, replacement, strict=True)),
        )
        for kind, rows in found.items()
        for order_or_product, product_id, line_id, *replacement in rows
    ]
    return Restatement(**{kind: counts[kind] for kind in RESTATED}, examples=examples[:EXAMPLES])


def _find_orders_in_several_files(
    session: Session, files: Sequence[StagedFile], heads: Heads
) -> None:
    """Most batches have one file that says of order lines: then there is nothing to look for."""
    saying = {file.file_index for file in files if file.kind == "order_items" or file.whole_orders}
    if len(saying) > 1:
        session.run("orders_in_several_files")
        return
    session.load(
        "orders_in_several_files", "order_items", ("order_id",), NOTHING, heads["order_items"]
    )


def _load_what_may_change(session: Session, heads: Heads, has_products: bool) -> None:
    """All rows of the orders that the batch mentions; lines without a category, and the products.

    Only new products can settle a category; without any, there is nothing to look for.
    """
    old_days, [(least, greatest)] = session.fetch_each(
        "select order_date, least_id, greatest_id from old_days",
        "select min(order_id), max(order_id) from mentioned_orders",
    )
    reach: dict[Partition, tuple[str, str]] = {day: (low, high) for day, low, high in old_days}
    in_reach = reach if least is None else {**reach, None: (least, greatest)}
    load_whole(session, "current_products", "products", Everything(), heads)
    uncategorised = Uncategorised() if has_products else NOTHING
    wanted: tuple[tuple[str, str, Rows], ...] = (
        ("current_orders", "orders", OfOrders("mentioned_orders", reach)),
        ("mentioned_lines", "order_items", OfOrders("mentioned_orders", in_reach)),
        ("uncategorised_lines", "order_items", uncategorised),
    )
    for relation, table, rows in wanted:
        session.load(relation, table, _placed(table), rows, heads[table])


def _writes(session: Session, heads: Heads) -> list[BranchWrite]:
    """Only tables that the batch changes are written; data files from which rows go, anew."""
    *dated, [(products,)], [(moves,)] = session.fetch_each(
        *(
            query.format(table)
            for table in DATED
            for query in (
                "select distinct data_file from gone_{}",
                "select count(*) from coming_{}",
            )
        ),
        "select count(*) from batch_products",
        "select count(*) from written_order_days",
    )
    writes = []
    for table, gone, [(coming,)] in zip(DATED, dated[::2], dated[1::2], strict=True):
        files = frozenset(path for (path,) in gone)
        rows = InFiles(files)
        session.load(f"rewritten_{table}", table, _placed(table), rows, heads[table])
        session.view(f"previous_{table}", f"rewritten_{table}")
        if files:
            session.run(f"written_{table}")
        else:
            session.view(f"written_{table}", f"coming_{table}")
        if files or coming:
            writes.append(BranchWrite(table, f"written_{table}", files))
    if products:
        writes.append(BranchWrite("products", "next_products", files=None))
    if moves:
        writes.append(BranchWrite(INDEX, "written_order_days", frozenset()))
    return writes


def _placed(table: str) -> tuple[str, ...]:
    return (*SCHEMAS[table].column_names, *PLACE)


def _load_days(
    session: Session, heads: Heads, days: Sequence[date], writes: Sequence[BranchWrite]
) -> None:
    """The touched days after the batch: the data files that are kept, and what is written."""
    rewritten = {write.table: frozenset(write.files or ()) for write in writes}
    for table in DATED:
        gone = rewritten.get(table, frozenset())
        rows = OnDays(frozenset(days), waiting=table == "order_items", without=gone)
        session.load(f"kept_{table}", table, KPI_COLUMNS[table], rows, heads[table])
        session.run(f"kpi_{table}")


def _run_kpis(session: Session) -> None:
    for relation in ("order_kpis", "category_kpis", "published_keys"):
        session.run(relation)


def _kpi_change(*answers: Fetched, days: Sequence[date]) -> KpiChange:
    """From the answers to KPI_QUERIES, of these days alone: more of them may have been read."""
    wanted = set(days)
    order_days, category_days, published = (
        [row for row in rows if row[0] in wanted] for rows in answers
    )
    return KpiChange.between(
        published=[KpiKey(order_date, category) for order_date, category in published],
        order_days=[OrderDay(row[0], *map(int, row[1:])) for row in order_days],
        category_days=[CategoryDay(row[0], row[1], *map(int, row[2:])) for row in category_days],
    )


def _days(rows: Fetched) -> list[date]:
    return [order_date for (order_date,) in rows]


def _counts(rows: Fetched) -> dict[str, int]:
    return {table: int(count) for table, count in rows}
