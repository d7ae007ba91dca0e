"""KPI items by themselves: rounding, what is deleted, how days are packed, and who may write."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from contracts.clock import new_event_id, system_clock
from contracts.envelope import MessageContext
from contracts.errors import StaleWriter
from contracts.messages import PublishedCounts
from services.runtime.event_store import InMemoryEventStore, PutItem
from services.transformer.batch.kpis import CategoryDay, KpiChange, KpiKey, OrderDay, money, rate
from services.transformer.batch.publication import Stamp, publish_kpis
from tests.support.transforming import KEYS, TABLES

DAY = date(2025, 7, 7)
CONTEXT = MessageContext("test")
STAMP = Stamp("3f2a9c0d1e4b5a67", 2, "2025-07-08T00:00:00.000Z")


def a_day(number: int = 0, returned: int = 1) -> OrderDay:
    return OrderDay(DAY + timedelta(days=number), 3, 1_005, 7, returned, 2)


def categories(count: int, number: int = 0) -> list[CategoryDay]:
    day = DAY + timedelta(days=number)
    return [CategoryDay(day, f"category {n:04d}", 1_000, 3, 1) for n in range(count)]


@pytest.mark.parametrize(
    ("cents", "parts", "amount"),
    [(1, 1, "0.01"), (-1, 1, "-0.01"), (5, 2, "0.03"), (1_000, 3, "3.33"), (200, 3, "0.67")],
)
def test_money_has_two_places_rounded_half_up(cents: int, parts: int, amount: str) -> None:
    assert str(money(cents, parts)) == amount


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(0, 0, "0.0000"), (1, 3, "0.3333"), (2, 3, "0.6667"), (1, 20_000, "0.0001"), (3, 3, "1.0000")],
)
def test_a_rate_has_four_places_and_is_nothing_of_nothing(
    part: int, whole: int, expected: str
) -> None:
    assert str(rate(part, whole)) == expected


def test_the_items_have_the_names_of_the_tables() -> None:
    day = a_day().item()
    assert {name: day[name] for name in list(day)[:6]} == {
        "order_date": "2025-07-07",
        "total_orders": 3,
        "total_revenue": Decimal("10.05"),
        "total_items_sold": 7,
        "return_rate": Decimal("0.3333"),
        "unique_customers": 2,
    }
    assert categories(1)[0].item() == {
        "category": "category 0000",
        "order_date": "2025-07-07",
        "daily_revenue": Decimal("10.00"),
        "avg_order_value": Decimal("3.33"),
        "avg_return_rate": Decimal("0.3333"),
    }


def test_what_was_published_and_stands_no_more_is_deleted() -> None:
    books, games = categories(2)
    published = [
        KpiKey(DAY, None),
        KpiKey(DAY, books.category),
        KpiKey(DAY, "vanished"),
        KpiKey(DAY + timedelta(days=1), None),
    ]
    change = KpiChange.between(published, [a_day()], [books, games])
    assert set(change.gone) == {KpiKey(DAY, "vanished"), KpiKey(DAY + timedelta(days=1), None)}
    assert change.counts() == PublishedCounts(order_kpis=1, category_kpis=2, deleted=2)


def sizes(change: KpiChange) -> list[int]:
    return [len(transaction) for transaction in change.transactions()]


@pytest.mark.parametrize(
    ("days", "in_transactions"),
    [
        ([], []),
        ([98], [99]),
        ([99], [99, 1]),
        ([49, 48], [99]),
        ([49, 49], [50, 50]),
        ([9] * 20, [90, 90, 20]),
        ([250, 3], [99, 99, 57]),
    ],
    ids=str,
)
def test_days_are_packed_whole_up_to_99_items(days: list[int], in_transactions: list[int]) -> None:
    """A number of categories for each day, and the day's own item."""
    change = KpiChange(
        [a_day(number) for number in range(len(days))],
        [item for number, count in enumerate(days) for item in categories(count, number)],
        (),
    )
    assert sizes(change) == in_transactions


def test_a_day_goes_before_its_categories_and_after_the_day_before() -> None:
    gone = KpiKey(DAY, "category 0000b")
    change = KpiChange([a_day(1), a_day(0)], [*categories(2, 1), *categories(2)], (gone,))
    [transaction] = change.transactions()
    assert transaction == [
        a_day(0),
        categories(1)[0],
        gone,
        categories(2)[1],
        a_day(1),
        *categories(2, 1),
    ]


def test_a_days_own_item_goes_first_also_before_names_in_capitals_and_when_it_is_deleted() -> None:
    books = CategoryDay(DAY, "BOOKS", 1_000, 3, 1)
    [set_anew] = KpiChange([a_day()], [books], ()).transactions()
    assert set_anew == [a_day(), books]
    own, category = KpiKey(DAY, None), KpiKey(DAY, "BOOKS")
    assert list(KpiChange([], [], (category, own)).transactions()) == [[own, category]]


def a_store(epoch: int) -> InMemoryEventStore:

    store = InMemoryEventStore(system_clock, new_event_id, KEYS)
    state = PutItem(TABLES.state, {"StateId": "facts", "epoch": epoch})
    store.append(context=CONTEXT, writes=[state])
    return store


def test_each_item_says_who_wrote_it_and_deletions_happen() -> None:
    store = a_store(epoch=2)
    books, games = categories(2)
    publish_kpis(store, TABLES, KpiChange([a_day()], [books, games], ()), STAMP, CONTEXT)
    gone = (KpiKey(DAY, None), KpiKey(DAY, books.category))
    publish_kpis(store, TABLES, KpiChange([], [], gone), STAMP, CONTEXT)
    assert store.scan(TABLES.order_kpis) == []
    [left] = store.scan(TABLES.category_kpis)
    assert left == games.item() | {
        "orders": 3,
        "returned_orders": 1,
        "batch_id": "3f2a9c0d1e4b5a67",
        "epoch": 2,
        "updated_at": "2025-07-08T00:00:00.000Z",
    }


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_epoch_that_is_not_the_newest_writes_nothing(epoch: int) -> None:
    store = a_store(epoch)
    with pytest.raises(StaleWriter, match="epoch 2 of batch 3f2a9c0d1e4b5a67 is stale"):
        publish_kpis(store, TABLES, KpiChange([a_day()], [], ()), STAMP, CONTEXT)
    assert store.scan(TABLES.order_kpis) == []
