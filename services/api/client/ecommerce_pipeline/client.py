"""The client: numbers and what made them as pandas DataFrames."""

import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args

from contracts.clock import system_clock
from ecommerce_pipeline.answers import Answers, Asked, Row
from ecommerce_pipeline.errors import Busy, WrongQuestion
from ecommerce_pipeline.frames import Numbers, Part, anomaly_frame, kpi_frame, view_frame, why_frame
from services.api.kpis.bounds import (
    FIRST_DAY,
    LAST_DAY,
    MAX_DAYS,
    MAX_DAYS_OF_ALL_CATEGORIES,
    pieces,
    usual_span,
)
from services.api.kpis.periods import By, Compare, Span
from services.api.kpis.tables import category_columns, flat, order_columns

if TYPE_CHECKING:
    from pandas import DataFrame

Day = date | datetime | str
"""A date, an instant of which the day is taken, or `YYYY-MM-DD`."""
Periods = Literal["day", "week", "month"]
ComparedWith = Literal["previous", "last_year"]
Status = Literal["odd", "resolved"]
POLL_SECONDS = 1.0
"""As long as the API asks to wait."""


class Client:
    """Asks for numbers; made by `connect`.

    Each method gives a DataFrame whose columns and types are the same also without any row, and
    raises a subclass of ApiError when it is not answered. Days are `datetime64[ns]`, instants
    `datetime64[ns, UTC]`, counts `Int64`. Money and rates are `decimal.Decimal`, exact to the cent,
    or with `numbers="float"` `float64` and `Float64`. What there is not is `None`, `NaN`, `NaT` or
    `<NA>`, as its type has it.
    """

    def __init__(
        self,
        answers: Answers,
        where: str,
        numbers: Numbers = "decimal",
        clock: Callable[[], datetime] = system_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._answers, self._where = answers, where
        self._numbers, self._clock, self._sleep = numbers, clock, sleep

    def __repr__(self) -> str:
        return f"<ecommerce_pipeline client of {self._where}, numbers={self._numbers!r}>"

    def order_kpis(
        self,
        first: Day | None = None,
        last: Day | None = None,
        *,
        by: Periods = "day",
        compare: ComparedWith | None = None,
    ) -> "DataFrame":
        """KPIs over all orders: a row for each day, ISO week or month that has an order.

        `first`, `last`: days, both included, however many. Without `last` it is the newest that is
        published, without `first` there are thirty. `compare` puts the period before, or the same
        one a year ago, beside each row, in columns `compared_...`.

        Columns: `period` (`2025-07-07`, `2025-W28`, `2025-07`), `order_date` and `last_date` (its
        days), `total_orders`, `total_revenue`, `total_items_sold`, `return_rate` (0 to 1),
        `unique_customers` (of single days only), `guests`, `updated_at`. Money is in units of the
        currency.
        """
        asked = self._asked(first, last, by, compare)
        rows = self._rows(self._answers.order_kpis, asked, MAX_DAYS)
        return kpi_frame(order_columns(asked.compare), flat(rows), self._numbers)

    def category_kpis(
        self,
        first: Day | None = None,
        last: Day | None = None,
        *,
        category: str | None = None,
        by: Periods = "day",
        compare: ComparedWith | None = None,
        top: int | None = None,
    ) -> "DataFrame":
        """KPIs by category: a row for each category and period in which some of it was sold.

        As `order_kpis`; `category` asks for one, `top` for those that sold most in the span.

        Columns: `category`, `period`, `order_date`, `last_date`, `daily_revenue` (of the whole
        period), `avg_order_value`, `avg_return_rate` (0 to 1), `updated_at`. Rows come by category
        and period.
        """
        if top is not None and (top < 1 or category is not None):
            raise WrongQuestion("top is a number from 1, and not for a single category")
        asked = self._asked(first, last, by, compare, category)
        most = MAX_DAYS_OF_ALL_CATEGORIES if category is None else MAX_DAYS
        rows = list(self._rows(self._answers.category_kpis, asked, most))
        rows.sort(key=lambda row: (row["category"], row["order_date"]))
        if top is not None:
            rows = _top(rows, top)
        return kpi_frame(category_columns(asked.compare), flat(rows), self._numbers)

    def anomalies(
        self,
        first: Day | None = None,
        last: Day | None = None,
        *,
        status: Status | None = None,
    ) -> "DataFrame":
        """Published numbers that the guard found odd: a row for each number, by day.

        Days as in `order_kpis`. `status="odd"` has those that are odd still, `"resolved"` those
        whose day was mended, None both.

        Columns: `order_date`, `series` (`orders`, `revenue`, `items`, `return_rate`,
        `category_revenue`), `category` (of the last of these), `status`, `value` (as it was
        published), `expected`, `lowest` and `highest` (between which it would not be odd), `score`
        (spreads from what was expected, below it when negative; a float), `odd_value` (what was odd
        of one that is resolved), `published_by` (a batch), `told_at`. What the guard finds and
        misses is in docs/watching.md.
        """
        if status is not None and status not in get_args(Status):
            raise WrongQuestion(f"status={status!r}: there is {', '.join(get_args(Status))}")
        asked = self._asked(first, last, By.DAY, None)
        rows = self._rows(lambda part: self._answers.anomalies(part.span, status), asked, MAX_DAYS)
        return anomaly_frame(rows, self._numbers)

    def why(
        self,
        order_date: Day,
        category: str | None = None,
        *,
        of: Part = "files",
        wait_seconds: float = 60.0,
    ) -> "DataFrame":
        """What a day's number is made of: of all orders, or of one category.

        `of="files"` has a row for each file of each batch that gave some of it, `"lines"` for each
        order line (of the first 1,000), `"measures"` for each KPI as it is published and as the
        facts give it now. `attrs` of the DataFrame has `equal` (whether these are the same),
        `published_by` (a batch), `published_at`, `in_work` (a batch that may change it just now)
        and `left_out`, how many rows there are more.

        It is worked out when it is asked for first, behind a batch that is being transformed, and
        waited for: raises Busy when it is not there after `wait_seconds`, and NotFound when there
        is no such number.
        """
        day = _day("order_date", order_date)
        if day is None:
            raise WrongQuestion("order_date: name the day of the number")
        _named(category)
        if of not in get_args(Part):
            raise WrongQuestion(f"of={of!r}: there is {', '.join(get_args(Part))}")
        for _ in range(max(int(wait_seconds / POLL_SECONDS), 1)):
            answer = self._answers.why(day, category)
            if answer is not None:
                return why_frame(answer, of, self._numbers)
            self._sleep(POLL_SECONDS)
        raise Busy(f"it is still worked out after {wait_seconds:g} s: ask again later")

    def batches(self, limit: int | None = 1000) -> "DataFrame":
        """Batches, the one that was sealed last first; `limit=None` for all of them.

        Columns: those of the API's `/batches`, among them `batch_id`, `status`, `sealed_at`,
        `closed_at`, `rows_in`, `accepted`, `quarantined`, `duplicates`, `left_out`, `first_day`,
        `last_day`, `reason`.
        """
        from services.api.views.models import BatchView

        return view_frame(BatchView, islice(self._answers.batches(), _checked(limit)))

    def quarantine(self, limit: int | None = 1000) -> "DataFrame":
        """Files that were rejected or of which rows are in quarantine, the newest first.

        Columns: those of the API's `/quarantine`, among them `batch_id`, `key`, `kind`, `source`,
        `status`, `rows_in`, `accepted`, `quarantined`, `duplicates`, `left_out`, `rule`, `reason`,
        `dismissed`, `validated_at`. The rows themselves are shown by `ecp quarantine show`.
        """
        from services.api.views.models import FileView

        return view_frame(FileView, islice(self._answers.quarantine(), _checked(limit)))

    def _asked(
        self, first: Day | None, last: Day | None, by: str, compare: str | None,
        category: str | None = None,
    ) -> Asked:  # fmt: skip
        _named(category)
        since, until = _day("first", first), _day("last", last)
        if since is not None and until is None:
            until = max(self._answers.last_day() or self._clock().date(), since)
        span = None
        if until is not None:
            span = Span(since, until) if since else usual_span(until)
            if span.first > span.last:
                raise WrongQuestion(f"first {span.first} is after last {span.last}")
            if span.first < FIRST_DAY or span.last > LAST_DAY:
                raise WrongQuestion(f"days go from {FIRST_DAY} to {LAST_DAY}")
        return Asked(
            span,
            _one_of(By, "by", by),
            None if compare is None else _one_of(Compare, "compare", compare),
            category,
        )

    def _rows(
        self, ask: Callable[[Asked], Iterator[Row]], asked: Asked, most: int
    ) -> Iterator[Row]:
        if asked.span is None:
            yield from ask(asked)
            return
        for part in pieces(asked.span, asked.by, most):
            yield from ask(Asked(part, asked.by, asked.compare, asked.category))


def _day(name: str, day: Day | None) -> date | None:
    if isinstance(day, datetime):
        return day.date()
    if day is None or isinstance(day, date):
        return day
    try:
        if len(day) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(day)
    except (TypeError, ValueError) as error:
        raise WrongQuestion(f"{name}={day!r} is no day; write YYYY-MM-DD") from error


def _named(category: str | None) -> None:
    if category == "":
        raise WrongQuestion("category: name one, or None for all")


def _one_of(kind: Any, name: str, value: str) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        known = ", ".join(kind)
        raise WrongQuestion(f"{name}={value!r}: there is {known}") from error


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 0:
        raise WrongQuestion(f"limit={limit}: name how many, or None for all")
    return limit


def _top(rows: list[Row], count: int) -> list[Row]:
    """Rows of the categories that sold most; of two that sold the same, by name."""
    revenue: dict[str, Any] = {}
    for row in rows:
        revenue[row["category"]] = revenue.get(row["category"], 0) + row["daily_revenue"]
    ranked = sorted(revenue, key=lambda name: (-revenue[name], name))[:count]
    return [row for row in rows if row["category"] in ranked]
