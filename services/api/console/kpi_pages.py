"""What the pages of KPIs show: rows by period, charts beside them, categories that moved."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from markupsafe import Markup

from services.api.console.charts import Series, bar_chart, line_chart
from services.api.console.movers import Mover, top_movers
from services.api.console.odd import OddNumber, cells, odd_numbers_of, of_categories
from services.api.console.shown import (
    CATEGORY_REVENUE,
    OF_CATEGORIES,
    OF_ORDERS,
    Form,
    Measure,
)
from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.kpis.answers import Question, category_answer, order_answer
from services.api.kpis.periods import (
    DAY,
    By,
    Compare,
    Span,
    compared,
    compared_whole,
    label,
    month_end,
    periods,
)
from services.api.views.reading import odd_numbers

Row = Mapping[str, Any]
MOST_PERIODS = 200
"""On one page; a longer span is shown by week or month."""
USUAL_DAYS_BY_DAY, USUAL_DAYS_BY_WEEK = 62, 366
SHOWN_CATEGORIES = 6
BARS = 12
COMPARABLE = 0.9
"""Of the days with KPIs, so many have to be there before as well."""
COMPARISONS = {Compare.PREVIOUS: "the period before", Compare.LAST_YEAR: "a year before"}


@dataclass(frozen=True)
class Chart:
    """A measure's picture, and the names of its lines, if it has several."""

    title: str
    svg: Markup
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class PeriodsPage:
    """Rows by period, the newest first, their totals, and a chart of each measure."""

    question: Question
    measures: Sequence[Measure]
    rows: list[Row]
    total: Row | None
    charts: list[Chart]
    odd: list[OddNumber]

    @property
    def odd_cells(self) -> Mapping[tuple[str, str], OddNumber]:
        """Those of a page by day, by day and column; a longer period has no mark."""
        return cells(self.odd) if self.question.by is By.DAY else {}

    @property
    def not_known(self) -> list[Measure]:
        """Measures that are null somewhere, where there are orders."""
        rows = [row for row in (*self.rows, self.total) if row and row["updated_at"]]
        return [one for one in self.measures if any(row[one.name] is None for row in rows)]


@dataclass(frozen=True)
class CategoriesPage:
    """Totals by category, largest revenue first, what moved, and revenue by period."""

    question: Question
    totals: Sequence[Row]
    total_revenue: Decimal
    chart: Chart
    movers: list[Mover]
    movers_chart: Chart | None
    pivot_names: list[str]
    pivot: list[tuple[str, list[Decimal | None], Decimal]]
    pivot_chart: Chart
    odd: list[OddNumber]


def chosen_by(span: Span, by: By | None) -> By:
    """Days while they can be read, then weeks, then months; raises ProblemFound for too many."""
    if by is None:
        if span.days <= USUAL_DAYS_BY_DAY:
            return By.DAY
        return By.WEEK if span.days <= USUAL_DAYS_BY_WEEK else By.MONTH
    found = len(periods(span, by))
    if found > MOST_PERIODS:
        detail = f"{span.first} to {span.last} are {found} rows by {by}; a page has at most "
        raise ProblemFound(
            HTTPStatus.BAD_REQUEST, f"{detail}{MOST_PERIODS}: ask by week or month, or for less"
        )
    return by


def orders_page(question: Question, ports: Ports) -> PeriodsPage:
    """KPIs over all orders."""
    found = order_answer(question, ports.kpis)
    total: Row | None = found.totals[0] if found.rows else None
    if total and not _is_comparable(question, found.items):
        total = {**total, "compared": None}
    odd = odd_numbers_of(odd_numbers(ports.views, question.span))
    return _periods_page(question, OF_ORDERS, found.rows, total, "of all orders", odd)


def category_page(question: Question, ports: Ports) -> PeriodsPage:
    """KPIs of one category."""
    found = category_answer(question, ports.kpis)
    total = found.totals[0] if found.totals else None
    of = f"of {question.category}"
    odd = odd_numbers_of(odd_numbers(ports.views, question.span), category=question.category)
    return _periods_page(question, OF_CATEGORIES, found.rows, total, of, odd)


def _is_comparable(question: Question, items: Sequence[Row]) -> bool:
    """Whether the days before have KPIs about as often: else the sums differ for that alone."""
    if question.compare is None:
        return True
    days = {item["order_date"] for item in items}
    here, before = (
        sum(str(day) in days for day in span.dates())
        for span in (question.span, compared_whole(question.span, question.compare))
    )
    return before >= here * COMPARABLE


def categories_page(question: Question, ports: Ports) -> CategoriesPage:
    """KPIs by category."""
    found = category_answer(question, ports.kpis)
    name = CATEGORY_REVENUE.name
    totals = sorted(found.totals, key=lambda row: (-row[name], row["category"]))
    here = [row for row in totals if row["updated_at"]]
    movers = top_movers(found.totals) if question.compare else []
    names = [row["category"] for row in here[:SHOWN_CATEGORIES]]
    pivot = _pivot(question, found.rows, names)
    return CategoriesPage(
        question=question,
        totals=totals,
        total_revenue=sum((row[name] for row in here), Decimal("0.00")),
        chart=_bars(
            "Revenue by category",
            [(row["category"], row[name]) for row in here[:BARS]],
            question.span,
        ),
        movers=movers,
        movers_chart=_bars(
            "Change of revenue",
            [(one.category, one.difference) for one in movers],
            question.span,
        )
        if movers
        else None,
        pivot_names=names,
        pivot=pivot[::-1],
        pivot_chart=_pivot_chart(question, names, pivot),
        odd=of_categories(odd_numbers(ports.views, question.span)),
    )


def quick_spans(newest: Span) -> list[tuple[str, Span]]:
    """Spans that are often asked for, ending with the newest day or its month."""
    last = newest.last
    month = Span(last.replace(day=1), last)
    before = compared(Span(month.first, month_end(last)), By.MONTH, Compare.PREVIOUS)
    return [
        ("7 days", Span(last - 6 * DAY, last)),
        ("30 days", Span(last - 29 * DAY, last)),
        ("This month", month),
        ("Month before", before),
        ("12 months", Span(last - timedelta(days=364), last)),
    ]


def _periods_page(
    question: Question,
    measures: Sequence[Measure],
    rows: Sequence[Row],
    total: Row | None,
    of: str,
    odd: list[OddNumber],
) -> PeriodsPage:
    shown = [one for one in measures if any(row[one.name] is not None for row in rows)]
    charts = [
        _line(question, measure, rows, of, odd) for measure in shown if measure.name != "guests"
    ]
    return PeriodsPage(question, measures, list(rows)[::-1], total, charts if rows else [], odd)


def _line(
    question: Question, measure: Measure, rows: Sequence[Row], of: str, odd: Sequence[OddNumber]
) -> Chart:
    by_label = {row["period"]: row for row in rows}
    names = _labels(question)
    now = [_value(by_label.get(name), measure) for name in names]
    marks = {
        names.index(one.order_date): one.sentence
        for one in odd
        if one.column == measure.name and one.order_date in names
    }
    lines = [Series(measure.label, now, marks)]
    keys: Sequence[str] = ()
    if question.compare is Compare.LAST_YEAR:  # the period before stands beside it in the line
        before = [
            _value((by_label.get(name) or {}).get("compared"), measure, is_compared=True)
            for name in names
        ]
        lines.append(Series(COMPARISONS[question.compare], before))
        keys = ("this period", COMPARISONS[question.compare])
    span = question.span
    title = f"{measure.label} {of} by {question.by}, {span.first} to {span.last}"
    svg = line_chart(
        f"{title}; the table has the numbers", _short(names, question), lines, measure.form
    )
    return Chart(measure.label, svg, keys)


def _value(row: Row | None, measure: Measure, *, is_compared: bool = False) -> Any:
    """None where a period has no KPIs of its own: there a row stands for what it is compared to."""
    if row is None or (not is_compared and not row["updated_at"]):
        return None
    return row[measure.name]


def _labels(question: Question) -> list[str]:
    return [label(period, question.by) for period in periods(question.span, question.by)]


def _short(names: list[str], question: Question) -> list[str]:
    """Days without their year, where all are of one."""
    one_year = question.span.first.year == question.span.last.year
    return [name[5:] for name in names] if one_year and question.by is By.DAY else names


def _pivot(
    question: Question, rows: Sequence[Row], names: Sequence[str]
) -> list[tuple[str, list[Decimal | None], Decimal]]:
    """By period: the revenue of each of the categories, and that of all together."""
    found: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        if row["updated_at"]:
            found[row["period"]][row["category"]] = row[CATEGORY_REVENUE.name]
    return [
        (name, [found[name].get(one) for one in names], sum(found[name].values(), Decimal("0.00")))
        for name in _labels(question)
        if name in found
    ]


def _pivot_chart(
    question: Question,
    names: Sequence[str],
    pivot: Sequence[tuple[str, list[Decimal | None], Decimal]],
) -> Chart:
    by_label = {name: values for name, values, _ in pivot}
    labels = _labels(question)
    lines = [
        Series(name, [by_label[one][n] if one in by_label else None for one in labels])
        for n, name in enumerate(names)
    ]
    span = question.span
    title = f"Revenue of the largest categories by {question.by}, {span.first} to {span.last}"
    svg = line_chart(
        f"{title}; the table has the numbers", _short(labels, question), lines, Form.MONEY
    )
    return Chart(f"Revenue by {question.by}", svg, names)


def _bars(title: str, found: Sequence[tuple[str, Decimal]], span: Span) -> Chart:
    text = f"{title}, {span.first} to {span.last}; the table has the numbers"
    bars = Series(title, [value for _, value in found])
    return Chart(title, bar_chart(text, [name for name, _ in found], bars, Form.MONEY))
