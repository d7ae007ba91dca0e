"""What the console decides by itself: stages, calendars, movers, how numbers are written."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from services.api.console.calendars import month_of, months_to, whole_months
from services.api.console.charts import Series, bar_chart, line_chart
from services.api.console.movers import top_movers
from services.api.console.running import step_of
from services.api.console.shown import Form, change, number, short_number, span_of_time
from services.api.console.stages import Stage, is_moving, stages
from services.api.views.batch import batch_view, in_order
from tests.contract.builders import BATCH
from tests.unit.api.harness import a_life, an_event

NOW = datetime(2025, 7, 7, 12, 0, 30, tzinfo=UTC)


def shown(events: list[Message], now: datetime = NOW) -> list[Stage]:
    return stages(batch_view(BATCH, events), in_order(events), now)


def test_a_batch_that_runs_is_in_its_newest_stage_for_as_long_as_it_is() -> None:
    started = a_life()[:2]
    assert [(one.label, one.state, one.seconds) for one in shown(started)[:3]] == [
        ("Sealed", "done", 1.0),
        ("Waiting for the lock", "now", 29.0),
        ("Checking rows", "next", None),
    ]


def test_a_redrive_begins_anew() -> None:
    again = shown(a_life()[:8])
    assert [(one.label, one.state, one.began) for one in again[:2]] == [
        ("Sealed", "done", 0.0),
        ("Waiting for the lock", "now", 1.0),
    ]


def test_a_batch_that_failed_stopped_where_it_was() -> None:
    found = shown(a_life()[:6])
    assert [one.state for one in found] == [
        "done", "done", "stopped", "unreached", "unreached", "unreached",
    ]  # fmt: skip
    assert found[2].seconds == 2.0


def test_a_stage_that_was_passed_over_was_not_needed() -> None:
    """The sample batch published KPIs and told nothing of facts."""
    found = {one.label: one.state for one in shown(a_life())}
    assert found["Publishing KPIs"] == "skipped"
    assert found["Archiving"] == "done"


@given(st.lists(st.sampled_from(a_life()), min_size=1, unique_by=lambda one: one.event_id))
def test_stages_follow_each_other_and_end_where_the_next_begins(some: list[Message]) -> None:
    been = [one for one in shown(some) if one.began is not None]
    for earlier, later in pairwise(sorted(been, key=lambda one: one.began or 0)):
        assert later.began is not None
        assert earlier.ended is None or earlier.seconds is not None
    assert sum(one.state in ("now", "stopped") for one in been) <= 1


def test_a_page_is_live_while_its_batch_may_change() -> None:
    ended = batch_view(BATCH, a_life())
    last = from_rfc3339(ended.last_event_at)
    assert is_moving(ended, last + timedelta(seconds=14))
    assert not is_moving(ended, last + timedelta(seconds=15))
    assert is_moving(batch_view(BATCH, a_life()[:2]), last + timedelta(days=9))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (1, "sealed, about to start"),
        (2, "starting"),
        (3, "waiting for the lock, number 2 in line"),
        (4, "checking rows"),
        (5, "checking rows, 1 of 2 files done"),
    ],
)
def test_what_a_batch_is_at_is_said_in_words(events: int, words: str) -> None:
    assert step_of(batch_view(BATCH, a_life()[:events])) == words


@given(st.dates(date(1972, 2, 1), date(2199, 12, 31)), st.integers(1, 24))
def test_months_hold_each_of_their_days_once(last: date, count: int) -> None:
    firsts = months_to(last, count)
    days = [
        one.day
        for first in firsts
        for week in month_of(first, {}, last).weeks
        for one in week
        if one
    ]
    assert days == list(whole_months(firsts).dates())
    assert (days[-1].year, days[-1].month) == (last.year, last.month)
    assert len(firsts) == count


def test_a_calendar_tells_published_days_from_missing_ones_and_those_ahead() -> None:
    item = {"updated_at": "2025-07-02T00:00:00.000Z", "batch_id": BATCH}
    month = month_of(date(2025, 7, 1), {"2025-07-01": item}, date(2025, 7, 2))
    states = {one.day.day: one.state for week in month.weeks for one in week if one}
    assert (states[1], states[2], states[3]) == ("published", "missing", "ahead")
    assert (month.published, month.days) == (1, 2)


def a_total(category: str, now: str, before: str | None) -> dict[str, object]:
    other = None if before is None else {"daily_revenue": Decimal(before)}
    return {"category": category, "daily_revenue": Decimal(now), "compared": other}


def test_movers_count_what_came_and_what_went_and_leave_out_what_stayed() -> None:
    totals = [
        a_total("came", "30.00", None),
        a_total("went", "0.00", "40.00"),
        a_total("stayed", "9.00", "9.00"),
        a_total("rose", "31.00", "30.00"),
    ]
    assert [(one.category, one.difference) for one in top_movers(totals)] == [
        ("went", Decimal("-40.00")),
        ("came", Decimal("30.00")),
        ("rose", Decimal("1.00")),
    ]
    assert len(top_movers(totals, most=1)) == 1


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (Decimal("1234567.5"), Form.MONEY, "1,234,567.50"),
        (Decimal("-0.5"), Form.MONEY, "\u22120.50"),
        (1234, Form.COUNT, "1,234"),
        (Decimal("0.0425"), Form.RATE, "4.25\u00a0%"),
        (None, Form.RATE, "\u2013"),
        (Decimal("10"), "money", "10.00"),
    ],
)
def test_a_number_is_written_as_what_it_is(value: object, form: Form, text: str) -> None:
    assert number(value, form) == text


@pytest.mark.parametrize(
    ("now", "before", "form", "text"),
    [
        (Decimal(110), Decimal(100), Form.MONEY, "+10.0\u00a0%"),
        (99, 100, Form.COUNT, "\u22121.0\u00a0%"),
        (100, 100, Form.COUNT, "\u00b10.0\u00a0%"),
        (Decimal("0.05"), Decimal("0.03"), Form.RATE, "+2.0\u00a0pp"),
        (5, 0, Form.COUNT, "new"),
        (0, 0, Form.COUNT, ""),
        (None, 5, Form.COUNT, ""),
        (5, None, Form.COUNT, ""),
    ],
)
def test_a_change_is_of_hundred_or_in_points(
    now: object, before: object, form: Form, text: str
) -> None:
    assert change(now, before, form) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0\u00a0s"), (9.94, "9.9\u00a0s"), (9.96, "10\u00a0s"), (125, "2\u00a0min 5\u00a0s"),
     (7800, "2\u00a0h 10\u00a0min"), (-1, "0.0\u00a0s")],
)  # fmt: skip
def test_a_span_of_time_is_read_at_a_glance(seconds: float, text: str) -> None:
    assert span_of_time(seconds) == text


def test_an_axis_is_short() -> None:
    values = (0, 950, 12_000, 1_200_000, -3_000)
    assert [short_number(one, Form.MONEY) for one in values] == [
        "0", "950", "12k", "1.2M", "\u22123k",
    ]  # fmt: skip


HOSTILE = "</svg><script>\x00\x07\u202e\"'&"


def test_a_chart_is_shapes_and_text_alone() -> None:
    line = line_chart(HOSTILE, [HOSTILE, "b"], [Series(HOSTILE, [1, None])], Form.MONEY)
    bars = bar_chart(HOSTILE, [HOSTILE, "b"], Series(HOSTILE, [1, -2]), Form.MONEY)
    for svg in (line, bars):
        assert svg.startswith("<svg ")
        assert svg.count("<svg") == svg.count("</svg") == 1
        assert not any(mark in svg for mark in ("<script", "<style", "style=", "<desc", "\u202e"))
        assert not {"\x00", "\x07"} & set(svg)


def test_a_chart_breaks_its_line_where_there_is_nothing() -> None:
    svg = line_chart("t", ["a", "b", "c", "d", "e"], [Series("s", [1, 2, None, 4, 5])], Form.COUNT)
    assert svg.count("M") > line_chart(
        "t", ["a", "b", "c", "d", "e"], [Series("s", [1, 2, 3, 4, 5])], Form.COUNT
    ).count("M")
    assert "<title>a: 1</title>" in svg


def test_the_newest_attempt_may_have_reached_less_than_the_one_before() -> None:
    sealed = an_event("BatchRedriven", f"batch/{BATCH}", 9, 20, batch_id=BATCH, attempt=2)
    found = shown([*a_life(), replace(sealed)])
    assert [one.state for one in found] == ["now", *["next"] * 5]
