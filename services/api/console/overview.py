"""What the first page shows: the newest days and the month, what runs, what waits for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from services.api.console.calendars import Month, month_of, months_to
from services.api.console.charts import Series, line_chart
from services.api.console.odd import OddNumber, odd_number
from services.api.console.running import Running, running
from services.api.console.shown import REVENUE, long_day
from services.api.http.ports import Ports
from services.api.kpis.answers import Orders, OrdersOnce, Question, order_answer
from services.api.kpis.periods import DAY, By, Compare, Span, compared
from services.api.views.domain import BATCHES, QUARANTINE
from services.api.views.models import BatchView, FileView
from services.api.views.reading import newest_day, odd_numbers

CHART_DAYS = 30
SHOWN_BATCHES = 6
SHOWN_FILES = 5


@dataclass(frozen=True)
class Tile:
    """A period's numbers, None where it has no KPIs, and those that they are compared with."""

    title: str
    days: str
    span: Span
    row: Mapping[str, Any] | None
    against: str

    @property
    def before(self) -> Mapping[str, Any] | None:
        """The numbers compared with."""
        return self.row["compared"] if self.row else None


@dataclass(frozen=True)
class Overview:
    """`note` says why the tiles are not of today, where they are not."""

    tiles: list[Tile]
    note: str
    chart: Markup
    rows: list[dict[str, Any]]
    chart_span: Span
    month: Month
    running: Running
    batches: list[BatchView]
    quarantined: list[FileView]
    newest: date | None
    odd: list[OddNumber]


def overview(ports: Ports) -> Overview:
    """All of it; the days are those around `anchor`, today or the newest day with KPIs."""
    today, newest = ports.clock().date(), newest_day(ports.views)
    is_behind = newest is not None and newest < today - DAY
    anchor = newest if newest is not None and is_behind else today
    span = Span(anchor - (CHART_DAYS - 1) * DAY, anchor)
    kpis = OrdersOnce(ports.kpis)
    rows = order_answer(Question(span, By.DAY), kpis).rows
    first = months_to(anchor, 1)
    month = Span(first[0], anchor)
    items = {item["order_date"]: item for item in kpis.orders(month.dates())}
    batches = [BatchView(**body) for body in ports.views.newest(BATCHES, None, 50).bodies]
    files = [FileView(**body) for body in ports.views.newest(QUARANTINE, None, 50).bodies]
    return Overview(
        tiles=_tiles(kpis, anchor, is_today=not is_behind),
        note=_note(newest, today) if is_behind else "",
        chart=_chart(rows, span),
        rows=rows[::-1],
        chart_span=span,
        month=month_of(first[0], items, today),
        running=running(batches),
        batches=batches[:SHOWN_BATCHES],
        quarantined=[one for one in files if not one.is_dismissed][:SHOWN_FILES],
        newest=newest,
        odd=[odd_number(one) for one in odd_numbers(ports.views, span)][::-1],
    )


def _note(newest: date | None, today: date) -> str:
    if newest is None:
        return ""
    return (
        f"There are no KPIs for today or yesterday ({today - DAY} and {today}). "
        f"The newest published day is {long_day(newest)}."
    )


def _tiles(kpis: Orders, anchor: date, *, is_today: bool) -> list[Tile]:
    before = anchor - DAY
    titles = ("Today", "Yesterday") if is_today else (long_day(anchor), long_day(before))
    month = Span(anchor.replace(day=1), anchor)
    against = compared(month, By.MONTH, Compare.PREVIOUS)
    found = [
        Tile(
            title,
            long_day(day) if is_today else "",
            Span(day, day),
            _row(kpis, Span(day, day), By.DAY),
            "the day before",
        )
        for title, day in zip(titles, (anchor, before), strict=True)
    ]
    so_far = f"{month.first.day} to {long_day(month.last)}"
    named = f"{against.first} to {against.last}"
    return [
        *found,
        Tile(f"{anchor:%B %Y}", so_far, month, _row(kpis, month, By.MONTH), named),
    ]


def _row(kpis: Orders, span: Span, by: By) -> Mapping[str, Any] | None:
    """The one row of a period; one that has KPIs only before it has none itself."""
    rows = order_answer(Question(span, by, Compare.PREVIOUS), kpis).rows
    return rows[0] if rows and rows[0]["updated_at"] else None


def _chart(rows: list[dict[str, Any]], span: Span) -> Markup:
    by_day = {row["order_date"]: row[REVENUE.name] for row in rows}
    labels = [str(day) for day in span.dates()]
    title = f"Revenue by day, {span.first} to {span.last}; the table has the numbers"
    lines = [Series(REVENUE.label, [by_day.get(label) for label in labels])]
    return line_chart(title, [label[5:] for label in labels], lines, REVENUE.form)
