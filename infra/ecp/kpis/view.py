"""KPIs as tables for people: rows, totals below them, how they went, and what they are beside."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from infra.ecp.kpis.answering import Found
from infra.ecp.kpis.queries import Kpi, for_people
from infra.ecp.terminal.output import can_show, print_line, print_table, styled
from infra.ecp.terminal.sparklines import BARS, NOTHING, sparkline
from services.api.kpis.domain import CATEGORY_MEASURES, ORDER_MEASURES
from services.api.kpis.periods import By, Span, label, periods
from services.api.kpis.tables import COMPARED

NONE = "none in this period; `ecp status` shows what runs, `ecp freshness` which days have some"
TREND_OF_CATEGORY = 24
Row = Mapping[str, Any]
OF_SINGLE_DAYS = frozenset({"unique_customers"})
MONTHS_DO_NOT_TELL = (
    "unique_customers is known of single days only: who orders on two is one customer"
)


def print_order_kpis(found: Found) -> None:
    """Rows, their total as the last one, and the revenue as a line of bars."""
    place, compared = _place(found), _compared(found, "total_orders", "total_revenue")
    is_daily = found.asked.by is By.DAY
    measures = [name for name in ORDER_MEASURES if is_daily or name not in OF_SINGLE_DAYS]
    rows = [(*_where(found, row), *_cells(row, measures, compared)) for row in found.rows]
    if rows and found.span:
        where = ("total",) if is_daily else ("total", found.span.days)
        rows.append((*where, *_cells(found.totals[0], measures, compared)))
    print_table("OrderKPIs", (*place, *measures, *compared), rows, empty=NONE)
    if not found.rows:
        return
    _print_compared(found)
    revenue = {row["period"]: row["total_revenue"] for row in found.rows}
    if trend := _trend(found, revenue):
        least, most = min(revenue.values()), max(revenue.values())
        print_line(
            styled("total_revenue  {}  {:,} to {:,} by {}", trend, least, most, found.asked.by)
        )
    if not is_daily:
        print_line(styled("[dim]{}[/]", MONTHS_DO_NOT_TELL))


def print_category_kpis(found: Found) -> None:
    """Rows by category, then each category's totals with its share and how it went."""
    compared = _compared(found, "daily_revenue")
    place = _place(found)
    title = "CategoryKPIs"
    print_table(
        title,
        ("category", *place, *CATEGORY_MEASURES, *compared),
        [
            (row["category"], *_where(found, row), *_cells(row, CATEGORY_MEASURES, compared))
            for row in found.rows
        ],
        empty=NONE,
    )
    if found.rows:
        _print_category_totals(found, compared)


def _print_category_totals(found: Found, compared: Mapping[str, str]) -> None:
    revenue: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in found.rows:
        revenue[row["category"]][row["period"]] = row["daily_revenue"]
    ranked = sorted(found.totals, key=lambda row: (-row["daily_revenue"], row["category"]))
    trends = [_trend(found, revenue[row["category"]], TREND_OF_CATEGORY) for row in ranked]
    last = ("by " + found.asked.by,) if any(trends) else ()
    print_line()
    print_table(
        f"Totals of {found.span.first} to {found.span.last}" if found.span else "Totals",
        ("category", "revenue", "share", *CATEGORY_MEASURES[1:], *compared, *last),
        [
            (
                row["category"],
                row["daily_revenue"],
                _percent(row["daily_revenue"], found.revenue),
                *_cells(row, CATEGORY_MEASURES[1:], compared),
                *((trend,) if last else ()),
            )
            for row, trend in zip(ranked, trends, strict=True)
        ],
    )
    shown = sum((row["daily_revenue"] for row in ranked), Decimal("0.00"))
    if len(ranked) < found.categories:
        print_line(
            styled(
                "{:,} in {} of {}, which are {} of {:,}",
                shown,
                _counted(len(ranked)),
                found.categories,
                _percent(shown, found.revenue),
                found.revenue,
            )
        )
    else:
        print_line(styled("{:,} in {}", shown, _counted(len(ranked))))
    _print_compared(found)


def _place(found: Found) -> tuple[str, ...]:
    return ("order_date",) if found.asked.by is By.DAY else ("period", "days")


def _where(found: Found, row: Row) -> tuple[object, ...]:
    """Its name, and how many of its days were asked for: the first and the last may be parts."""
    if found.asked.by is By.DAY:
        return (row["order_date"],)
    first, last = (date.fromisoformat(row[name]) for name in ("order_date", "last_date"))
    return row["period"], Span(first, last).days


def _cells(row: Row, measures: Sequence[str], compared: Mapping[str, str]) -> Iterable[object]:
    own: Kpi = dict(row)
    return (*for_people(own, tuple(measures)), *(_change(row, name) for name in compared.values()))


def _compared(found: Found, *measures: str) -> dict[str, str]:
    """Columns of changes, and the measure that each is of."""
    if found.asked.compare is None:
        return {}
    short = {"total_orders": "orders", "total_revenue": "revenue", "daily_revenue": "revenue"}
    return {f"{short[name]} change": name for name in measures}


def _change(row: Row, measure: str) -> str | None:
    before = row.get(COMPARED + measure)
    if not before:
        return None
    return f"{(Decimal(row[measure]) - Decimal(before)) * 100 / Decimal(before):+.1f} %"


def _print_compared(found: Found) -> None:
    """What the changes are beside; `-` where there was nothing."""
    if found.asked.compare is None:
        return
    total = next((row for row in found.totals if row.get(f"{COMPARED}period")), None)
    what = {"previous": f"the {found.asked.by} before", "last_year": "a year before"}
    of_rows = f"rows are beside {what[found.asked.compare]}"
    of_totals = f", totals beside {total[f'{COMPARED}period']}" if total else ""
    print_line(styled("[dim]change: {}{}; - where nothing was sold[/]", of_rows, of_totals))


def _counted(categories: int) -> str:
    return "1 category" if categories == 1 else f"{categories:,} categories"


def _percent(part: Decimal, whole: Decimal | None) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else "- %"


def _trend(found: Found, by_period: Mapping[str, Any], widest: int = 60) -> str:
    """A bar for each period of the span; empty for a single one."""
    if found.span is None or not can_show(BARS + NOTHING):
        return ""
    by = found.asked.by
    names = [label(period, by) for period in periods(found.span, by)]
    return sparkline([by_period.get(name) for name in names], widest) if len(names) > 1 else ""
