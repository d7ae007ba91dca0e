"""`ecp why`: the files, rows and batches behind one number."""

from datetime import date
from typing import Annotated, Any

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.commands import UNKNOWN, did_you_mean
from infra.ecp.kpis.queries import CATEGORY_FIELDS, ORDER_FIELDS, PublishedKpis, for_people
from infra.ecp.kpis.waiting import unknown_products
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.days import FORMS, day
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table, styled
from services.runtime.wording import plural

ALL_ORDERS = "orders"
SHOWN_ROWS = 100


def why(
    name: Annotated[
        str, typer.Argument(metavar="CATEGORY|orders", help="A category, or the day's orders.")
    ],
    when: Annotated[str, typer.Argument(metavar="DAY", help=f"The order_date: {FORMS} (UTC).")],
    is_category: Annotated[
        bool, typer.Option("--category", help="It is a category, even if its name is orders.")
    ] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Also each order line.")] = False,
    as_json: AsJson = False,
) -> None:
    """Why a number is what it is: the files, rows and batches behind it.

    The number is computed again from the facts; exit code 3 says that what is published differs.
    On AWS this reads the Glue tables and the warehouse bucket, which your profile must allow.

    Example: `ecp why Electronics 2025-07-07 --rows`
    """
    order_date = day("", when, system_clock().date())
    category = None if name == ALL_ORDERS and not is_category else name
    target = current_target()
    found = _find(target, order_date, category, with_rows=rows)
    if as_json:
        print_json(found)
    else:
        _print(found, target, with_rows=rows)
    if not found["equal"]:
        raise CommandFailed(_unequal(found))


def _find(target: Target, on: date, category: str | None, *, with_rows: bool) -> dict[str, Any]:
    # pyiceberg takes half a second to import, which no other command should wait for.
    from infra.ecp.kpis.facts import as_document, explain, locations

    found = explain(target.facts, target.client("dynamodb"), on, category, with_rows=with_rows)
    contributions = found.evidence.contributions
    if found.published is None and found.recomputed is None:
        what = "orders" if category is None else _named(category, target)
        raise WrongUsage(
            f"there is nothing of {what} on {on}; `ecp kpis categories --from {on} --to {on}` "
            "lists what there is"
        )
    names = target.names
    places = locations(contributions, target.event_store, names.archive_bucket, names.data_bucket)
    return as_document(found, places)


def _named(category: str, target: Target) -> str:
    kpis = PublishedKpis(target.client("dynamodb"), system_clock().date())
    if kpis.has_category(category):
        return f"category {category}"
    return f"category {category}{did_you_mean(category, kpis.recent_categories())}"


def _print(found: dict[str, Any], target: Target, *, with_rows: bool) -> None:
    fields = ORDER_FIELDS if found["category"] is None else CATEGORY_FIELDS
    print_table(
        f"{found['category'] or 'All orders'} on {found['order_date']}",
        ("", *fields),
        [(source, *_cells(found[source], fields)) for source in ("published", "recomputed")],
    )
    if found["equal"]:
        by = found["published_by"]
        print_line(
            styled(
                "[bold green]equal[/]: set by batch {} at {}, epoch {}",
                by["batch_id"],
                by["updated_at"],
                by["epoch"],
            )
        )
    if found["in_work"]:
        print_line(f"batch {found['in_work']} is in work: the number may change with it")
    for kind, title in (("order_items", "Order lines"), ("orders", "Orders")):
        _print_contributions(title, [c for c in found["contributions"] if c["kind"] == kind])
    print_line(
        "facts: "
        + ", ".join(f"{table} snapshot {which}" for table, which in found["snapshots"].items())
    )
    if found["category"] == UNKNOWN:
        print_line(unknown_products(target, found["order_date"]))
    if with_rows:
        print_table(
            "Rows",
            ("file", "line", "order", "product", "quantity", "unit price", "line amount"),
            [
                (r["key"], str(r["line"]), r["order_id"], r["product_id"], r["quantity"],
                 r["unit_price"], r["line_amount"])
                for r in found["rows"]
            ],
            limit=SHOWN_ROWS,
        )  # fmt: skip


def _cells(item: dict[str, Any] | None, fields: tuple[str, ...]) -> tuple[object, ...]:
    return ("-",) * len(fields) if item is None else for_people(item, fields)


def _print_contributions(title: str, contributions: list[dict[str, Any]]) -> None:
    print_table(
        f"{title}: {plural(sum(c['rows'] for c in contributions), 'row')}",
        ("batch", "rows", "orders", "returned", "quantity", "amount", "lies at", "snapshot"),
        [
            (c["batch_id"], c["rows"], c["orders"], c["returned_orders"], c["quantity"],
             c["amount"], c["location"], c["snapshot"])
            for c in contributions
        ],
    )  # fmt: skip


def _unequal(found: dict[str, Any]) -> str:
    what = f"{found['category'] or 'orders'} on {found['order_date']}"
    if found["in_work"]:
        return f"{what}: batch {found['in_work']} is being published just now; ask again"
    return f"{what}: what is published is NOT what the facts give; `ecp rebuild` sets it right"
