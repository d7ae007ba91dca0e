"""`ecp diff`: what one batch changed in the facts and in the KPIs."""

from typing import Annotated, Any

import typer

from infra.ecp.batches.progress import ENDS, ending, this_attempt
from infra.ecp.kpis.queries import CATEGORY_FIELDS, ORDER_FIELDS, for_people
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table
from services.runtime.wording import plural

KEYS = ("order_date", "category")
SHOWN_DAYS, SHOWN_KPIS = 60, 100


def diff(
    batch_id: Annotated[str, typer.Argument(metavar="BATCH", help="A published batch.")],
    as_json: AsJson = False,
) -> None:
    """What a batch changed: orders and lines by day, and each KPI before and after.

    It is told by what the batch left beside its result, for as long as its files are archived,
    whatever came later. Batches from before that was kept are compared by their snapshots.

    Example: `ecp diff 3f2a9c0d1e4b5a67`
    """
    found = _find(current_target(), batch_id)
    if as_json:
        print_json(found)
        return
    changes = [name for name in _change_names() if any(day[name] for day in found["days"])]
    print_table(
        f"Batch {batch_id}: rows by day",
        ("day", *(name.replace("_", " ") for name in changes)),
        [
            (day["order_date"] or "waiting", *(day[name] for name in changes))
            for day in found["days"]
        ],
        limit=SHOWN_DAYS,
        empty="no day was touched",
    )
    products = found["products"]
    print_line(
        f"{plural(products['added'], 'product')} added, {products['restated']:,} stated again"
    )
    _print_kpis(found["kpis"])


def _find(target: Target, batch_id: str) -> dict[str, Any]:
    events = target.event_store.read_correlated(batch_id)
    published = [event.data for event in events if event.event_type == "KpisPublished"]
    if not published:
        raise WrongUsage(_not_published(batch_id, events))
    # pyiceberg takes half a second to import, which no other command should wait for.
    from infra.ecp.kpis.facts import PublishedFacts, kpi_item
    from services.transformer.batch.domain import as_text
    from services.transformer.history.batch_difference import KeptNoLonger
    from services.transformer.history.comparing import find_difference

    try:
        found, around = find_difference(
            batch_id,
            published[-1].result,
            target.objects,
            target.names.archive_bucket,
            lambda: PublishedFacts(target.facts, target.client("dynamodb")),
        )
    except KeptNoLonger as error:
        raise WrongUsage(f"batch {batch_id}: {error}") from error
    return {
        "batch_id": batch_id,
        "snapshots": {"before": as_text(around.before), "after": as_text(around.after)},
        "days": [
            {"order_date": None if day is None else day.isoformat(), **counts}
            for day, counts in found.days.items()
        ],
        "products": {"added": found.products_added, "restated": found.products_restated},
        "kpis": [
            {
                "order_date": each.order_date.isoformat(),
                "category": each.category,
                "before": kpi_item(each.before),
                "after": kpi_item(each.after),
            }
            for each in found.kpis
        ],
    }


def _not_published(batch_id: str, events: list[Any]) -> str:
    if not events:
        return f"{batch_id}: there is no such batch; `ecp batches` lists the newest"
    end = ending(this_attempt(events))
    state = ENDS[end.event_type] if end else "not published yet"
    return f"batch {batch_id} is {state}: it has changed nothing"


def _print_kpis(kpis: list[dict[str, Any]]) -> None:
    for title, fields in (("Order KPIs", ORDER_FIELDS), ("Category KPIs", CATEGORY_FIELDS)):
        ours = [each for each in kpis if (each["category"] is None) == (fields is ORDER_FIELDS)]
        measures = [name for name in fields if name not in KEYS]
        print_table(
            f"{title}: before -> after",
            ("day", *(("category",) if fields is CATEGORY_FIELDS else ()), *measures),
            [
                (
                    each["order_date"],
                    *((each["category"],) if fields is CATEGORY_FIELDS else ()),
                    *(_change(each, name) for name in measures),
                )
                for each in ours
            ],
            limit=SHOWN_KPIS,
            empty="none changed",
        )


def _change(kpi: dict[str, Any], name: str) -> str:
    before, after = (_shown(kpi[when], name) for when in ("before", "after"))
    return after if before == after else f"{before} -> {after}"


def _shown(item: dict[str, Any] | None, name: str) -> str:
    return "-" if item is None else str(for_people(item, (name,))[0])


def _change_names() -> tuple[str, ...]:
    from services.transformer.history.batch_difference import CHANGES

    return CHANGES
