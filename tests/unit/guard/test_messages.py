"""The guard as its queue sees it: what it appends, what people are told, and when it is silent."""

import json
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from contracts.clock import new_event_id
from contracts.envelope import Message
from services.guard.domain import Completeness, stream_of
from services.guard.handler import SWEEP, GuardService, guard_service
from services.guard.judging import NEEDED_DAYS
from services.guard.notifications import SnsNotification
from services.guard.use_cases import Ports
from services.runtime.event_store import InMemoryEventStore
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from tests.contract.builders import a_body, an_example
from tests.support.doubles import RecordedDeadLetters
from tests.unit.guard.shops import BATCH, PublishedKpis, a_day, at_noon, day

QUEUE = "guard-events"
NEWEST = 119


class GuardHarness:
    """The service on doubles: a shop of 120 days, the day after the last at noon."""

    def __init__(self) -> None:
        self.now = at_noon(NEWEST)
        self.store = InMemoryEventStore(self.clock, new_event_id)
        self.kpis = PublishedKpis(NEWEST + 1)
        self.told: list[SnsNotification] = []
        self.fails = False
        self.dead_letters = RecordedDeadLetters()
        ports = Ports(
            self.store,
            self.kpis,
            self,
            self.clock,
            Completeness(timedelta(hours=12), timedelta(hours=2)),
        )
        self.service: GuardService = guard_service(
            ports, InMemoryTaskCallbacks(), self.dead_letters
        )

    def clock(self) -> datetime:
        return self.now

    def tell(self, notice: SnsNotification) -> None:
        if self.fails:
            raise ConnectionError("no network")
        self.told.append(notice)

    def publish(self, first: int, last: int | None = None) -> None:
        """A batch of these days is published."""
        last = first if last is None else last
        data = an_example("KpisPublished", first_day=str(day(first)), last_day=str(day(last)))
        self.service.handle(a_body("KpisPublished", data=data), QUEUE)

    def sweep(self) -> None:
        self.service.handle(json.dumps(SWEEP), QUEUE)

    def said(self, at: int) -> list[Message]:
        return self.store.read(stream_of(day(at)))

    def names(self, at: int) -> list[tuple[str, str, str | None]]:
        return [
            (one.event_type.removeprefix("KpiAnomaly"), one.data.series, one.data.category)
            for one in self.said(at)
        ]


@pytest.fixture
def harness() -> GuardHarness:
    return GuardHarness()


def test_of_a_shop_that_is_as_ever_nothing_is_said(harness: GuardHarness) -> None:
    harness.publish(0, NEWEST)
    assert [harness.said(at) for at in range(NEWEST + 1)] == [[]] * (NEWEST + 1)
    assert harness.told == []


def test_a_doubled_file_is_said_once_with_all_that_it_doubled(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110, factor=2))
    harness.publish(110)
    assert harness.names(110) == [
        ("Detected", "category_revenue", "Books"),
        ("Detected", "category_revenue", "Games"),
        ("Detected", "category_revenue", "Music"),
        ("Detected", "items", None),
        ("Detected", "orders", None),
        ("Detected", "revenue", None),
    ]
    event = harness.said(110)[4].data
    assert event.value == a_day(110, factor=2)["total_orders"]
    assert event.lowest < a_day(110)["total_orders"] < event.highest < event.value
    assert event.expected == pytest.approx(a_day(110)["total_orders"], rel=0.06)
    assert event.published_by == BATCH
    [notice] = harness.told
    assert notice.subject == f"KPIs of {day(110)}: 6 odd numbers"
    assert f"ecp why orders {day(110)}" in notice.message
    assert sum(line.startswith(f"  {day(110)} ") for line in notice.message.splitlines()) == 6


def test_the_same_numbers_say_nothing_twice(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110, factor=2))
    for _ in range(3):
        harness.publish(110)
    harness.publish(105, 115)
    assert len(harness.said(110)) == 6
    assert len(harness.told) == 1


@pytest.mark.parametrize("order", list(permutations([(110, 110), (105, 115), (90, 112)])))
def test_publications_in_any_order_say_the_same(
    harness: GuardHarness, order: tuple[tuple[int, int], ...]
) -> None:
    """It looks at the numbers as they stand; the relay and the bus keep no order."""
    harness.kpis.state(110, a_day(110, factor=2))
    harness.kpis.state(100, a_day(100), without=("Books",))
    for first, last in order:
        harness.publish(first, last)
    assert len(harness.names(110)) == 6
    assert harness.names(100) == [("Detected", "category_revenue", "Books")]


def test_another_odd_number_is_said_anew(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110, factor=2))
    harness.publish(110)
    harness.kpis.state(110, a_day(110, factor=3))
    harness.publish(110)
    assert len(harness.said(110)) == 12
    assert len(harness.told) == 2


def test_a_day_that_is_mended_is_taken_back(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110), without=("Books",))
    harness.publish(110)
    assert harness.names(110) == [("Detected", "category_revenue", "Books")]
    harness.kpis.state(110, a_day(110))
    harness.publish(110)
    assert harness.names(110)[1:] == [("Resolved", "category_revenue", "Books")]
    assert harness.said(110)[1].data.odd_value == 0
    assert harness.told[1].subject == f"KPIs of {day(110)}: no longer odd"
    harness.publish(110)
    assert len(harness.said(110)) == 2


def test_a_wave_of_returns_is_said_of_the_rate_only(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110, return_rate=0.25))
    harness.publish(110)
    assert harness.names(110) == [("Detected", "return_rate", None)]
    assert "25.0%" in harness.told[0].message


def test_a_day_that_nobody_stated_is_noticed_beside_the_next(harness: GuardHarness) -> None:
    harness.kpis.lose(110)
    harness.publish(111)
    detected = harness.said(110)
    assert ("Detected", "orders", None) in harness.names(110)
    assert all(one.data.value == 0 and one.data.published_by is None for one in detected)


def test_the_newest_day_is_judged_when_it_is_over_and_has_settled(harness: GuardHarness) -> None:
    half = a_day(NEWEST, factor=0.5, updated_at=f"{day(NEWEST + 1)}T11:00:00.000Z")  # type: ignore[arg-type]
    harness.kpis.state(NEWEST, half)
    harness.now = at_noon(NEWEST) - timedelta(minutes=1)
    harness.publish(NEWEST)
    assert harness.said(NEWEST) == []  # not over everywhere
    harness.now = at_noon(NEWEST) + timedelta(minutes=59)
    harness.publish(NEWEST)
    harness.sweep()
    assert harness.said(NEWEST) == []  # stated two hours ago, all but a minute
    harness.now = at_noon(NEWEST) + timedelta(minutes=60)
    harness.sweep()
    assert ("Detected", "orders", None) in harness.names(NEWEST)


def test_the_rest_of_a_days_files_comes_in_time_and_nothing_is_said(harness: GuardHarness) -> None:
    half = a_day(NEWEST, factor=0.5, updated_at=f"{day(NEWEST + 1)}T11:00:00.000Z")  # type: ignore[arg-type]
    harness.kpis.state(NEWEST, half)
    harness.publish(NEWEST)
    harness.kpis.state(NEWEST, a_day(NEWEST))
    harness.now += timedelta(hours=5)
    harness.sweep()
    assert harness.said(NEWEST) == []


def test_without_eight_weeks_before_it_no_day_is_judged(harness: GuardHarness) -> None:
    harness.kpis.state(50, a_day(50, factor=5))
    harness.publish(50)
    assert harness.said(50) == []


def test_people_that_cannot_be_told_are_told_when_the_message_comes_again(
    harness: GuardHarness,
) -> None:
    harness.kpis.state(110, a_day(110, factor=2))
    harness.fails = True
    with pytest.raises(ConnectionError):
        harness.publish(110)
    assert harness.said(110) == []
    harness.fails = False
    harness.publish(110)
    assert len(harness.said(110)) == 6
    assert len(harness.told) == 1


def test_a_rebuild_has_the_last_months_judged(harness: GuardHarness) -> None:
    harness.kpis.state(110, a_day(110, factor=2))
    harness.service.handle(a_body("KpisRebuilt", data=an_example("KpisRebuilt")), QUEUE)
    assert len(harness.said(110)) == 6


def test_no_more_is_read_than_a_judgement_rests_on(harness: GuardHarness) -> None:
    harness.publish(110, 112)
    first, last = day(110 - 7), day(112 + 10)
    assert harness.kpis.asked == [(first - timedelta(NEEDED_DAYS), last)]


@pytest.mark.parametrize("body", ['{"sweep": "other"}', "[" * 100_000, "no json"])
def test_what_is_neither_event_nor_sweep_goes_to_the_dead_letters(
    harness: GuardHarness, body: str
) -> None:
    harness.service.handle(body, QUEUE)
    assert [letter[0] for letter in harness.dead_letters.letters] == [QUEUE]


def test_a_hostile_category_is_told_as_text(harness: GuardHarness) -> None:
    name = "Books\nSubject: \u202egnp"
    harness.kpis.categories[name] = harness.kpis.categories.pop("Books")
    harness.kpis.categories[name].pop(day(110))
    harness.publish(110)
    [notice] = harness.told
    assert "\\nSubject: \\u202egnp" in notice.message
    assert not any(line.startswith("Subject") for line in notice.message.splitlines())


@pytest.mark.medium
def test_many_numbers_are_one_message_of_bearable_length(harness: GuardHarness) -> None:
    music = harness.kpis.categories["Music"]
    for number in range(150):
        harness.kpis.categories[f"Music {number}"] = dict(music)
    harness.kpis.state(110, a_day(110, factor=2))
    for number in range(150):
        harness.kpis.categories[f"Music {number}"].pop(day(110))
    harness.publish(110)
    assert len(harness.said(110)) == 156
    [notice] = harness.told
    assert "and 136 more" in notice.message
