"""The facts behind the figures, for reading: where they stand, and one number with its evidence."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from contracts.envelope import Message
from contracts.layout import archive_prefix
from infra.ecp.kpis.queries import CATEGORY_FIELDS, ORDER_FIELDS
from infra.ecp.names import (
    CATEGORY_KPIS_TABLE,
    ORDER_KPIS_TABLE,
    TRANSFORMER_STATE_TABLE,
    facts_database,
    table,
)
from services.runtime.event_store import EventStore
from services.runtime.storage import items
from services.transformer.batch.domain import STATE_ID, TransformerState
from services.transformer.batch.kpis import DEFAULT_MEASURES, CategoryDay, OrderDay
from services.transformer.facts import published as facts_of
from services.transformer.facts.data_files import data_files, partition_of
from services.transformer.facts.kpi_tables import compare_rows, rows_by_key
from services.transformer.facts.order_index import index_faults
from services.transformer.facts.reading import all_kpis, days_with_facts
from services.transformer.facts.retention import kept_tags
from services.transformer.history.explaining import Explained, explained
from services.transformer.history.provenance import Contribution
from services.transformer.maintenance.erasure import holding_snapshots, trace
from services.transformer.maintenance.rebuild import compare, key_of
from services.transformer.maintenance.rewriting import TABLE
from services.transformer.maintenance.upkeep import path_of, plan_upkeep, stored_files


class PublishedFacts(facts_of.PublishedFacts):
    """The facts as they were last published; `catalog` is a pyiceberg catalog.

    Raises PipelineError when nothing was ever published.
    """

    def __init__(self, catalog: Any, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        super().__init__(catalog, facts_database(), self._state)

    def _state(self) -> TransformerState:
        key = {"StateId": STATE_ID}
        found = items.get_item(self.dynamodb, table(TRANSFORMER_STATE_TABLE), key)
        return TransformerState.from_item(found)


def explain(
    catalog: Any, dynamodb: Any, day: date, category: str | None, *, with_rows: bool
) -> Explained:
    """A published item beside the same number from the facts."""
    return explained(
        lambda: PublishedFacts(catalog, dynamodb),
        lambda: read_kpi(dynamodb, day, category),
        day,
        category,
        with_rows=with_rows,
    )


def read_kpi(dynamodb: Any, day: date, category: str | None) -> dict[str, Any] | None:
    """The published item of a day, or of a category on it."""
    key = {"order_date": day.isoformat()}
    if category is None:
        return items.get_item(dynamodb, table(ORDER_KPIS_TABLE), key)
    return items.get_item(dynamodb, table(CATEGORY_KPIS_TABLE), {"category": category, **key})


def locations(
    contributions: Sequence[Contribution],
    store: EventStore,
    archive_bucket: str,
    data_bucket: str,
) -> dict[tuple[str, str], str]:
    """Where the file of each (batch_id, source_key) lies now, as an S3 address."""
    events: dict[str, list[Message]] = {}
    found = {}
    for each in contributions:
        if each.batch_id not in events:
            events[each.batch_id] = store.read_correlated(each.batch_id)
        archived = any(e.event_type == "BatchArchived" for e in events[each.batch_id])
        found[each.batch_id, each.source_key] = (
            f"s3://{archive_bucket}/{archive_prefix(each.batch_id)}{each.source_key}"
            if archived
            else f"s3://{data_bucket}/{each.source_key}"
        )
    return found


def as_document(found: Explained, places: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """What `ecp why --json` prints; amounts in units of the currency."""
    facts, item = found.facts, found.published
    fields = ORDER_FIELDS if found.category is None else CATEGORY_FIELDS
    flight = facts.state.in_flight
    return {
        "order_date": found.order_date.isoformat(),
        "category": found.category,
        "published": item and {name: item.get(name, DEFAULT_MEASURES.get(name)) for name in fields},
        "published_by": item
        and {name: item.get(name) for name in ("batch_id", "epoch", "updated_at")},
        "recomputed": found.recomputed,
        "equal": found.is_equal,
        "in_work": flight.batch_id if flight else None,
        "snapshots": facts.snapshot_ids(("orders", "order_items")),
        "contributions": [
            {
                "kind": each.kind,
                "batch_id": each.batch_id,
                "key": each.source_key,
                "rows": each.rows,
                "orders": each.orders,
                "quantity": each.quantity,
                "amount": amount(each.cents),
                "returned_orders": each.returned_orders,
                "snapshot": facts.tagged(each.batch_id, each.kind),
                "location": places[each.batch_id, each.source_key],
            }
            for each in found.evidence.contributions
        ],
        "rows": [_row(row) for row in found.evidence.rows],
    }


def amount(cents: int) -> Decimal:
    """Cents in units of the currency."""
    return (Decimal(cents) / 100).quantize(Decimal("0.01"))


def kpi_item(kpi: OrderDay | CategoryDay | None) -> dict[str, Any] | None:
    """The measures of a KPI as they are published."""
    return None if kpi is None else kpi.item()


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    cents = ("unit_price_cents", "line_amount_cents", "added_to_total_cents")
    shown = {name: value for name, value in row.items() if name not in cents}
    renamed = {"key": shown.pop("source_key"), "line": shown.pop("source_line")}
    amounts = {name.removesuffix("_cents"): amount(row[name]) for name in cents}
    return {**renamed, **shown, **amounts}


def compare_all(published: PublishedFacts) -> dict[str, Any]:
    """What `ecp rebuild` would do to every KPI item; `items` names each that is not right."""
    tables = table(ORDER_KPIS_TABLE), table(CATEGORY_KPIS_TABLE)
    stored = {
        key_of(item): item for each in tables for item in items.scan(published.dynamodb, each)
    }
    days = days_with_facts(published.facts, published.heads)
    expected = list(all_kpis(published.engine, published.facts, published.heads))
    repair = compare(expected, stored)
    of_tables = compare_rows(expected, rows_by_key(published.facts, published.heads))
    faults = [
        *((key_of(kpi), "missing") for kpi in repair.missing),
        *((key_of(kpi), "not what the facts give") for kpi in repair.wrong),
        *((key, "nothing in the facts gives it") for key in repair.strays),
    ]
    return {
        "days": len(days),
        "index_faults": index_faults(published.engine, published.heads),
        "table_rows": of_tables.faults,
        **repair.counts(),
        "items": [
            {"order_date": key[0], "category": key[1], "fault": fault}
            for key, fault in sorted(faults, key=lambda each: (each[0][0], each[0][1] or ""))
        ],
    }


def plan_all(published: PublishedFacts, now: datetime) -> list[dict[str, Any]]:
    """What `ecp maintain` would do to each facts table, as TableUpkeep."""
    planned = []
    kept = kept_tags(published.facts.table(TABLE).metadata, now)
    for name, head in published.heads.items():
        table = published.facts.table(name)
        plan = plan_upkeep(table, head, kept, now)
        gone = plan.expiry.snapshot_ids
        planned.append(
            {
                "table": name,
                "compacted_partitions": len(plan.outgrown),
                "compacted_files": sum(len(merge.files) for merge in plan.outgrown),
                "expired_snapshots": len(gone),
                "dropped_tags": len(plan.expiry.tags),
                "deleted_files": len(plan.unused),
                "deleted_bytes": sum(file.size_bytes for file in plan.unused),
                "kept_snapshots": len(table.metadata.snapshots) - len(gone),
            }
        )
    return planned


def plan_erasure(published: PublishedFacts, pseudonym: str) -> dict[str, int]:
    """Where a pseudonym is in the facts: rows and days that stand, and snapshots that hold it."""
    table = published.facts.table(TABLE)
    found = trace(table, list(stored_files(table)), pseudonym)
    standing = data_files(table, published.heads[TABLE])
    return {
        "days": len({partition_of(file) for file in standing if found.is_in(file)}),
        "rows": sum(found.rows.get(path_of(file.file_path), 0) for file in standing),
        "snapshots": len(holding_snapshots(table, found)),
    }


def plan_rekeying(published: PublishedFacts) -> dict[str, int]:
    """What new pseudonyms would touch: rows and days that stand, and snapshots of orders."""
    table = published.facts.table(TABLE)
    standing = data_files(table, published.heads[TABLE])
    return {
        "days": len({partition_of(file) for file in standing}),
        "rows": sum(file.record_count for file in standing),
        "snapshots": len(table.metadata.snapshots),
    }
