"""The KPIs of a span as rows and totals: gather the days' items, and sum them up."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from services.api.kpis.domain import category_of, orders_of, revenue_of
from services.api.kpis.periods import (
    By,
    Compare,
    Span,
    compared,
    compared_whole,
    label,
    periods,
)

Item = Mapping[str, Any]
Row = dict[str, Any]


class Orders(Protocol):
    """The published OrderKPIs."""

    def orders(self, days: Iterable[date]) -> list[dict[str, Any]]:
        """Those of the days that have some, by day."""


class Kpis(Orders, Protocol):
    """The published KPIs by day."""

    def category(self, name: str, span: Span) -> list[dict[str, Any]]:
        """CategoryKPIs of one category in a span."""

    def categories(self, days: Any) -> list[dict[str, Any]]:
        """CategoryKPIs of these days."""


class OrdersOnce:
    """OrderKPIs of which each day is asked for once, however many questions are about it."""

    def __init__(self, kpis: Orders) -> None:
        self._kpis, self._known = kpis, dict[date, dict[str, Any] | None]()

    def orders(self, days: Iterable[date]) -> list[dict[str, Any]]:
        """Those of the days that have some, by day."""
        wanted = sorted(set(days))
        unknown = [day for day in wanted if day not in self._known]
        found = {item["order_date"]: item for item in self._kpis.orders(unknown)} if unknown else {}
        self._known |= {day: found.get(str(day)) for day in unknown}
        return [item for day in wanted if (item := self._known[day]) is not None]


@dataclass(frozen=True)
class Question:
    """What is asked of the KPIs."""

    span: Span
    by: By
    compare: Compare | None = None
    category: str | None = None


@dataclass(frozen=True)
class Answered:
    """Rows by category and period, their totals, and the items that all was made of."""

    rows: list[Row]
    totals: list[Row]
    items: Sequence[Item]


def order_answer(question: Question, kpis: Orders) -> Answered:
    """KPIs over all orders."""
    items = kpis.orders(_days(question))
    return Answered(
        *_rows_and_totals(question, items, orders_of, keep_empty_totals=True), items=items
    )


def category_answer(question: Question, kpis: Kpis) -> Answered:
    """KPIs by category."""
    if question.category is None:
        items = kpis.categories(_days(question))
    else:
        found = [
            item for span in _spans(question) for item in kpis.category(question.category, span)
        ]
        items = list({item["order_date"]: item for item in found}.values())
    by_category: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_category[item["category"]].append(item)
    rows, totals = [], []
    for category in sorted(by_category):
        own = _rows_and_totals(question, by_category[category], category_of)
        rows += [{"category": category, **row} for row in own[0]]
        totals += [{"category": category, **row} for row in own[1]]
    return Answered(rows, totals, items)


def top(answered: Answered, count: int) -> Answered:
    """Only the categories that sold most in the span; of two that sold the same, by name."""
    ranked = sorted(answered.totals, key=lambda row: (-row["daily_revenue"], row["category"]))
    kept = {row["category"] for row in ranked[:count]}
    return Answered(
        [row for row in answered.rows if row["category"] in kept],
        [row for row in answered.totals if row["category"] in kept],
        answered.items,
    )


def revenue_within(items: Sequence[Item], span: Span) -> Any:
    """Of all categories."""
    return revenue_of(
        item for item in items if str(span.first) <= item["order_date"] <= str(span.last)
    )


def _rows_and_totals(
    question: Question,
    items: Sequence[Item],
    measure: Callable[[Sequence[Item]], Mapping[str, Any]],
    *,
    keep_empty_totals: bool = False,
) -> tuple[list[Row], list[Row]]:
    by_day = {item["order_date"]: item for item in items}

    def row(span: Span, name: str, other: tuple[Span, str] | None) -> Row | None:
        found = _within(by_day, span)
        before = _within(by_day, other[0]) if other else []
        if not found and not before:
            return None
        told = _told(span, name, measure(found))
        stamps = (item.get("updated_at") for item in found)
        told["updated_at"] = max(filter(None, stamps), default=None)
        told["compared"] = _told(*other, measure(before)) if other and before else None
        return told

    by, compare = question.by, question.compare
    rows = []
    for period in periods(question.span, by):
        other = compared(period, by, compare) if compare else None
        one = row(period, label(period, by), (other, label(other, by)) if other else None)
        if one is not None:
            rows.append(one)
    whole = compared_whole(question.span, compare) if compare else None
    total = row(question.span, _named(question.span), (whole, _named(whole)) if whole else None)
    if total is None and keep_empty_totals:
        empty = _told(question.span, _named(question.span), measure([]))
        total = empty | {"updated_at": None, "compared": None}
    return rows, [total] if total else []


def _told(span: Span, name: str, measures: Mapping[str, Any]) -> Row:
    return {"period": name, "order_date": str(span.first), "last_date": str(span.last), **measures}


def _named(span: Span) -> str:
    return f"{span.first}/{span.last}"


def _within(by_day: Mapping[str, Item], span: Span) -> list[Item]:
    return [by_day[day] for day in map(str, span.dates()) if day in by_day]


def _spans(question: Question) -> list[Span]:
    """All that has to be read: the span, and what it is compared with."""
    span, compare = question.span, question.compare
    if compare is None:
        return [span]
    cut = periods(span, question.by)
    ends = [compared(cut[0], question.by, compare), compared(cut[-1], question.by, compare)]
    return [span, compared_whole(span, compare), Span(ends[0].first, ends[-1].last)]


def _days(question: Question) -> set[date]:
    return {day for span in _spans(question) for day in span.dates()}
