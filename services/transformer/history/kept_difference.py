"""What a batch changed, as it is kept beside its result (BatchChanges): written, and found again.

It names no order and no user, so it outlives what an erasure, new pseudonyms or the retention of
snapshots take away.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from contracts.layout import KINDS, archived_difference_key, difference_key
from contracts.messages import (
    BatchChanges,
    BatchResult,
    CategoryKpiChange,
    CategoryMeasures,
    ChangedDay,
    ObjectRef,
    OrderKpiChange,
    OrderMeasures,
)
from services.runtime.storage.documents import NOT_THERE, ObjectStore, check_document
from services.runtime.storage.expired_documents import read_unless_expired
from services.transformer.batch.domain import as_text
from services.transformer.batch.kpis import CategoryDay, OrderDay
from services.transformer.facts.tables import Partition
from services.transformer.history.batch_difference import (
    CHANGES,
    Around,
    Difference,
    KpiDifference,
)

Kpi = OrderDay | CategoryDay


def keep_difference(
    batch_id: str, epoch: int, found: Difference, around: Around, objects: ObjectStore, bucket: str
) -> ObjectRef:
    """Put the document; put again by another attempt, each result names its own version."""
    changes = BatchChanges(
        batch_id=batch_id,
        epoch=epoch,
        snapshots_before=as_text({name: around.before[name] for name in KINDS}),
        snapshots=as_text({name: around.after[name] for name in KINDS}),
        days=[
            ChangedDay(order_date=day and day.isoformat(), **counts)
            for day, counts in found.days.items()
        ],
        products_added=found.products_added,
        products_restated=found.products_restated,
        order_kpis=[_order_change(each) for each in found.kpis if each.category is None],
        category_kpis=[_category_change(each) for each in found.kpis if each.category is not None],
    )
    document = changes.model_dump(mode="json")
    check_document("BatchChanges", document)
    return objects.put_json(bucket, difference_key(batch_id), document)


def kept_difference(
    batch_id: str, result: ObjectRef, objects: ObjectStore, archive_bucket: str
) -> tuple[Difference, Around] | None:
    """Of a published batch, from beside its result or from the archive; None when it has none."""
    document = _beside_its_result(result, objects)
    if document is None and archive_bucket:
        document = objects.newest_json(archive_bucket, archived_difference_key(batch_id))
    if document is None:
        return None
    check_document("BatchChanges", document, closed=False)
    changes = BatchChanges.model_validate(document)
    heads = (
        {name: int(snapshot) for name, snapshot in each.items()}
        for each in (changes.snapshots_before, changes.snapshots)
    )
    return _difference(changes), Around(*heads)


def _beside_its_result(result: ObjectRef, objects: ObjectStore) -> Any:
    """None when either is there no longer, or the batch is of before such were kept.

    Both expire with what was staged; the archive's copy stays.
    """
    document = read_unless_expired(objects, result, NOT_THERE)
    named = document and BatchResult.model_validate(document).difference
    return named and read_unless_expired(objects, named, NOT_THERE)


def _difference(changes: BatchChanges) -> Difference:
    kpis = [
        *(_kpi_difference(each, _order_day) for each in changes.order_kpis),
        *(_kpi_difference(each, _category_day) for each in changes.category_kpis),
    ]
    return Difference(
        days={_day_of(each): _counts_of(each) for each in changes.days},
        products_added=changes.products_added,
        products_restated=changes.products_restated,
        kpis=tuple(sorted(kpis, key=lambda each: (each.order_date, each.category or ""))),
    )


def _day_of(each: ChangedDay) -> Partition:
    return None if each.order_date is None else date.fromisoformat(each.order_date)


def _counts_of(each: ChangedDay) -> dict[str, int]:
    return {name: getattr(each, name) for name in CHANGES}


def _order_change(each: KpiDifference) -> OrderKpiChange:
    return OrderKpiChange(
        order_date=each.order_date.isoformat(),
        before=_measures(OrderMeasures, each.before),
        after=_measures(OrderMeasures, each.after),
    )


def _category_change(each: KpiDifference) -> CategoryKpiChange:
    return CategoryKpiChange(
        order_date=each.order_date.isoformat(),
        category=each.category or "",
        before=_measures(CategoryMeasures, each.before),
        after=_measures(CategoryMeasures, each.after),
    )


def _measures(model: Any, kpi: Kpi | None) -> Any:
    if kpi is None:
        return None
    return model(**{name: int(value) for name, value in _whole_numbers(kpi).items()})


def _whole_numbers(kpi: Kpi) -> Mapping[str, int]:
    return {n: v for n, v in asdict(kpi).items() if n not in ("order_date", "category")}


def _kpi_difference(each: Any, day_of: Any) -> KpiDifference:
    before, after = (day_of(each, measures) for measures in (each.before, each.after))
    return KpiDifference(before, after)


def _order_day(each: OrderKpiChange, measures: OrderMeasures | None) -> OrderDay | None:
    if measures is None:
        return None
    return OrderDay(date.fromisoformat(each.order_date), **measures.model_dump())


def _category_day(each: CategoryKpiChange, measures: CategoryMeasures | None) -> CategoryDay | None:
    if measures is None:
        return None
    return CategoryDay(date.fromisoformat(each.order_date), each.category, **measures.model_dump())
