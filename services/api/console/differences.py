"""What a batch changed, as its page shows it; pure."""

from dataclasses import dataclass

from services.api.console.shown import OF_CATEGORIES, OF_ORDERS, Measure
from services.api.http.models import ChangedDay, ChangedKpi, ChangedMeasure, Difference

CHANGES = tuple(name for name in ChangedDay.model_fields if name != "order_date")
NONE = ChangedMeasure(name="", before=None, after=None)


@dataclass(frozen=True)
class KpiRow:
    """An item that changed, with a value for each measure of its table."""

    item: ChangedKpi
    cells: list[tuple[Measure, ChangedMeasure]]


@dataclass(frozen=True)
class KpiTable:
    """Items of all orders, or of categories."""

    title: str
    is_of_categories: bool
    measures: tuple[Measure, ...]
    rows: list[KpiRow]


def changes_of(found: Difference) -> list[str]:
    """The kinds of changes that there are, in their order."""
    return [name for name in CHANGES if any(getattr(day, name) for day in found.days)]


def kpi_tables(found: Difference) -> list[KpiTable]:
    """Both tables of KPIs."""
    return [
        KpiTable(title, is_of_categories, measures, _rows(found, measures, is_of_categories))
        for title, is_of_categories, measures in (
            ("All orders", False, OF_ORDERS),
            ("Categories", True, OF_CATEGORIES),
        )
    ]


def _rows(found: Difference, measures: tuple[Measure, ...], is_of_categories: bool) -> list[KpiRow]:
    rows = []
    for item in found.kpis:
        if (item.category is not None) == is_of_categories:
            by_name = {one.name: one for one in item.measures}
            rows.append(KpiRow(item, [(one, by_name.get(one.name, NONE)) for one in measures]))
    return rows
