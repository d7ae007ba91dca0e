"""Numbers that the guard found odd, as pages mark them: in a table's cell, a chart, a list."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from services.api.console.shown import Form, number
from services.api.kpis.tables import SERIES_MEASURES
from services.api.views.models import AnomalyView

ABOVE, BELOW = "\u25b2", "\u25bc"
"""Triangles: which way is not told by colour alone."""
_SHOWN = {
    "orders": ("Orders", Form.COUNT),
    "revenue": ("Revenue", Form.MONEY),
    "items": ("Items sold", Form.COUNT),
    "return_rate": ("Return rate", Form.RATE),
    "category_revenue": ("Revenue", Form.MONEY),
}


@dataclass(frozen=True)
class OddNumber:
    """One of them; texts as people read them. `column`: where it stands in a table of KPIs."""

    order_date: str
    category: str | None
    column: str
    label: str
    sign: str
    way: str
    value: str
    expected: str
    bounds: str

    @property
    def sentence(self) -> str:
        """`odd: above what was expected, 8,120.00 (6,890.00 to 9,570.00)`."""
        return f"odd: {self.way} what was expected, {self.expected} ({self.bounds})"


def odd_number(anomaly: AnomalyView) -> OddNumber:
    """As it is shown."""
    label, form = _SHOWN[anomaly.series]
    is_above = anomaly.value > anomaly.expected
    value, expected, lowest, highest = (
        number(Decimal(str(one)), form)
        for one in (anomaly.value, anomaly.expected, anomaly.lowest, anomaly.highest)
    )
    return OddNumber(
        order_date=anomaly.order_date,
        category=anomaly.category,
        column=SERIES_MEASURES[anomaly.series],
        label=label,
        sign=ABOVE if is_above else BELOW,
        way="above" if is_above else "below",
        value=value,
        expected=expected,
        bounds=f"{lowest} to {highest}",
    )


def odd_numbers_of(
    anomalies: Iterable[AnomalyView], *, category: str | None = None
) -> list[OddNumber]:
    """Of all orders, or of one category; the newest day first."""
    wanted = [one for one in anomalies if one.category == category]
    return [odd_number(one) for one in sorted(wanted, key=_newest_first, reverse=True)]


def of_categories(anomalies: Iterable[AnomalyView]) -> list[OddNumber]:
    """Of every category; the newest day first."""
    wanted = [one for one in anomalies if one.category is not None]
    return [odd_number(one) for one in sorted(wanted, key=_newest_first, reverse=True)]


def cells(found: Sequence[OddNumber]) -> Mapping[tuple[str, str], OddNumber]:
    """By day and column."""
    return {(one.order_date, one.column): one for one in found}


def _newest_first(anomaly: AnomalyView) -> tuple[str, str, str]:
    return anomaly.order_date, anomaly.series, anomaly.category or ""
