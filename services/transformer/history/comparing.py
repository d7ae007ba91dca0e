"""What a batch changed, as a document for whoever asks (`CompareBatch`)."""

from collections.abc import Callable
from typing import Any

from contracts.clock import to_rfc3339
from contracts.layout import explanation_key
from contracts.messages import (
    BatchDifference,
    ChangedDay,
    ChangedKpi,
    ChangedMeasure,
    CompareBatch,
    ObjectRef,
)
from services.runtime.storage.documents import ObjectStore, check_document
from services.transformer.batch.kpis import (
    CATEGORY_MEASURES,
    ORDER_MEASURES,
    CategoryDay,
    OrderDay,
    measure_text,
)
from services.transformer.batch.state import Ports, history_of
from services.transformer.facts.published import PublishedFacts
from services.transformer.history.batch_difference import (
    Around,
    Difference,
    KeptNoLonger,
    KpiDifference,
    difference,
    snapshots_around,
)
from services.transformer.history.kept_difference import kept_difference

MOST_DAYS, MOST_KPIS = 400, 1000
NOT_PUBLISHED = "it is not published: it has changed nothing"
KEPT_NO_LONGER = (
    "what it changed is told no longer: no document of it is kept beside its result or in the "
    "archive, as of batches from before there were such, and its snapshots are gone (they were "
    "of neither the last hundred batches nor the last 90 days, or held a user who was erased)"
)


def compare_batch(
    command: CompareBatch,
    ports: Ports,
    look: Callable[[], PublishedFacts],
    bucket: str,
    archive_bucket: str = "",
) -> None:
    """Put the document that says what the batch changed, or why that cannot be told any more."""
    document = BatchDifference(
        question_id=command.question_id,
        batch_id=command.batch_id,
        compared_at=to_rfc3339(ports.clock()),
        **_found(command.batch_id, ports, look, archive_bucket),
    ).model_dump(mode="json")
    check_document("BatchDifference", document)
    ports.objects.put_json(bucket, explanation_key(command.question_id), document)


def _found(
    batch_id: str, ports: Ports, look: Callable[[], PublishedFacts], archive_bucket: str
) -> dict[str, Any]:
    result = history_of(batch_id, ports).result
    if result is None:
        return {"missing": NOT_PUBLISHED, "days": [], "kpis": []}
    try:
        found, _ = find_difference(batch_id, result, ports.objects, archive_bucket, look)
    except KeptNoLonger as error:
        return {"missing": str(error), "days": [], "kpis": []}
    return told(found)


def find_difference(
    batch_id: str,
    result: ObjectRef,
    objects: ObjectStore,
    archive_bucket: str,
    look: Callable[[], PublishedFacts],
) -> tuple[Difference, Around]:
    """What a published batch changed: as it is kept, else by its snapshots, if they are there.

    Raises KeptNoLonger when neither is.
    """
    kept = kept_difference(batch_id, result, objects, archive_bucket)
    if kept is not None:
        return kept
    published = look()
    around = snapshots_around(published.facts, batch_id)
    if around is None:
        raise KeptNoLonger(KEPT_NO_LONGER)
    return difference(published.facts, published.engine, batch_id, around), around


def told(found: Difference) -> dict[str, Any]:
    """The difference in the words of BatchDifference; of very many days and items the first."""
    days = [
        ChangedDay(order_date=None if day is None else day.isoformat(), **counts)
        for day, counts in found.days.items()
        if any(counts.values())
    ]
    return {
        "days": days[:MOST_DAYS],
        "days_left_out": max(len(days) - MOST_DAYS, 0),
        "products_added": found.products_added,
        "products_restated": found.products_restated,
        "kpis": [_kpi(each) for each in found.kpis[:MOST_KPIS]],
        "kpis_left_out": max(len(found.kpis) - MOST_KPIS, 0),
    }


def _kpi(each: KpiDifference) -> ChangedKpi:
    names = ORDER_MEASURES if each.category is None else CATEGORY_MEASURES
    before, after = (_items(kpi) for kpi in (each.before, each.after))
    return ChangedKpi(
        order_date=each.order_date.isoformat(),
        category=each.category,
        measures=[
            ChangedMeasure(
                name=name,
                before=measure_text(name, before.get(name)),
                after=measure_text(name, after.get(name)),
            )
            for name in names
        ],
    )


def _items(kpi: OrderDay | CategoryDay | None) -> dict[str, Any]:
    return {} if kpi is None else kpi.item()
