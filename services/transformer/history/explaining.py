"""One published number beside the same number from the facts, read under one writer epoch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.clock import to_rfc3339
from contracts.errors import Refused
from contracts.layout import explanation_key
from contracts.messages import (
    ExplainedLine,
    ExplainedMeasure,
    ExplainKpi,
    KpiContribution,
    KpiExplanation,
)
from services.runtime.storage.documents import check_document
from services.transformer.batch.kpis import (
    CATEGORY_MEASURES,
    DEFAULT_MEASURES,
    ORDER_MEASURES,
    measure_text,
    money,
)
from services.transformer.batch.state import Ports
from services.transformer.facts.published import PublishedFacts
from services.transformer.history.provenance import Contribution, Evidence, evidence_of

Item = Mapping[str, Any]
LOOKS = 3
MOST_CONTRIBUTIONS, MOST_LINES = 500, 1000


@dataclass(frozen=True)
class Explained:
    """A published item beside the same number from the facts; an absent one is None."""

    order_date: date
    category: str | None
    published: Item | None
    evidence: Evidence
    facts: PublishedFacts

    @property
    def recomputed(self) -> dict[str, Any] | None:
        """The item that the facts give."""
        return None if self.evidence.kpi is None else self.evidence.kpi.item()

    @property
    def is_equal(self) -> bool:
        """Whether what is published is what the facts give."""
        given = self.recomputed
        if self.published is None or given is None:
            return self.published is given
        return {name: measured(self.published, name) for name in given} == given


def measured(item: Item, name: str) -> Any:
    """A measure of an item; one that it lacks has the value of before there was that measure."""
    return item.get(name, DEFAULT_MEASURES.get(name))


def explained(
    look: Callable[[], PublishedFacts],
    read_item: Callable[[], Item | None],
    day: date,
    category: str | None,
    *,
    with_rows: bool,
    most_rows: int | None = None,
) -> Explained:
    """Read the item and the facts under one and the same writer epoch, looking again if need be.

    Between two looks a batch may publish; after three the last is given as it is.
    """
    for _ in range(LOOKS):
        facts = look()
        evidence = evidence_of(
            facts.engine, facts.heads, day, category, with_rows=with_rows, most_rows=most_rows
        )
        found = Explained(day, category, read_item(), evidence, facts)
        if facts.read_state() == facts.state or found.is_equal:
            break
    return found


def explain_kpi(
    command: ExplainKpi, ports: Ports, look: Callable[[], PublishedFacts], bucket: str
) -> None:
    """Put the document that says what the number is made of; taken twice, it is put twice.

    Raises Refused for a day that there is not.
    """
    try:
        day = date.fromisoformat(command.order_date)
    except ValueError as error:
        raise Refused(f"{command.question_id}: {error}") from error
    key = {"order_date": command.order_date}
    table = ports.tables.order_kpis
    if command.category is not None:
        key, table = {"category": command.category, **key}, ports.tables.category_kpis
    found = explained(
        look,
        lambda: ports.store.get_item(table, key),
        day,
        command.category,
        with_rows=True,
        most_rows=MOST_LINES,
    )
    document = explanation(command.question_id, found, ports.clock()).model_dump(mode="json")
    check_document("KpiExplanation", document)
    ports.objects.put_json(bucket, explanation_key(command.question_id), document)


def explanation(question_id: str, found: Explained, now: datetime) -> KpiExplanation:
    """The document; of very many files those with the largest amounts, of lines the first."""
    item, flight = found.published or {}, found.facts.state.in_flight
    given = found.recomputed or {}
    names = ORDER_MEASURES if found.category is None else CATEGORY_MEASURES
    parts = found.evidence.contributions
    kept = sorted(parts, key=lambda each: -abs(each.cents))[:MOST_CONTRIBUTIONS]
    lines = sum(each.rows for each in parts if each.kind == "order_items")
    return KpiExplanation(
        question_id=question_id,
        explained_at=to_rfc3339(now),
        order_date=found.order_date.isoformat(),
        category=found.category,
        measures=[
            ExplainedMeasure(
                name=name,
                published=measure_text(name, measured(item, name)) if item else None,
                recomputed=measure_text(name, given.get(name)),
            )
            for name in names
        ],
        equal=found.is_equal,
        published_by=item.get("batch_id"),
        published_epoch=int(item["epoch"]) if "epoch" in item else None,
        published_at=item.get("updated_at"),
        in_work=flight.batch_id if flight else None,
        snapshots=found.facts.snapshot_ids(("orders", "order_items")),
        contributions=[
            _contribution(each, found.facts.tagged(each.batch_id, each.kind))
            for each in parts
            if each in kept
        ],
        contributions_left_out=len(parts) - len(kept),
        lines=[_line(row) for row in found.evidence.rows],
        lines_left_out=lines - len(found.evidence.rows),
    )


def _contribution(each: Contribution, snapshot: str | None) -> KpiContribution:
    return KpiContribution(
        kind=each.kind,
        batch_id=each.batch_id,
        key=each.source_key,
        rows=each.rows,
        orders=each.orders,
        quantity=each.quantity,
        amount=_amount(each.cents),
        returned_orders=each.returned_orders,
        snapshot=snapshot,
    )


def _line(row: Item) -> ExplainedLine:
    return ExplainedLine(
        batch_id=row["batch_id"],
        key=row["source_key"],
        line=row["source_line"],
        order_id=row["order_id"],
        product_id=row["product_id"],
        line_id=row["line_id"],
        quantity=row["quantity"],
        unit_price=_amount(row["unit_price_cents"]),
        line_amount=_amount(row["line_amount_cents"]),
        added_to_total=_amount(row["added_to_total_cents"]),
    )


def _amount(cents: int | None) -> Any:
    return None if cents is None else str(money(cents))
