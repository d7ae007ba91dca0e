"""The invented shop: the same bytes for the same seed, a month, six categories, some bad rows."""

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from infra.ecp.demo.sample_catalogue import BAD_ORDER_ITEMS, BAD_ORDERS, BAD_PRODUCTS, CATALOGUE
from infra.ecp.demo.sample_shop import ORDERS_PER_SCALE, SampleShop, day_weights, write_sample_shop

BAD_IDS = 9_000_000  # from here on: rows that no shop should send


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> SampleShop:
    return write_sample_shop(tmp_path_factory.mktemp("shop"))


def rows(shop: SampleShop, kind: str) -> list[dict[str, str]]:
    """The good rows of a kind, by the line: a stray quote may swallow nothing here."""
    found = []
    for path in sorted((shop.directory / kind).glob("*.csv")):
        header, *lines = path.read_text().splitlines()
        names = header.split(",")
        for line in lines:
            first = line.split(",")[0]
            if first.isdigit() and int(first) < BAD_IDS:
                found.append(dict(zip(names, next(csv.reader([line])), strict=True)))
    return found


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> dict[str, bytes]:
        made = write_sample_shop(tmp_path / name, seed=seed)
        return {str(p.relative_to(made.directory)): p.read_bytes() for p in made.files}

    assert written("one", 7) == written("two", 7)
    assert (
        written("one", 7)["orders/2025-07-part1.csv"]
        != written("three", 8)["orders/2025-07-part1.csv"]
    )


def test_what_it_says_it_wrote_is_what_is_there(shop: SampleShop) -> None:
    lines = {
        kind: sum(
            len(path.read_text().splitlines()) - 1 for path in (shop.directory / kind).glob("*")
        )
        for kind in ("orders", "order_items", "products")
    }
    assert sum(lines.values()) == shop.orders + shop.order_items + shop.products + shop.bad_rows
    assert shop.orders == len([row for row in rows(shop, "orders") if row["order_id"]])
    assert shop.order_items == len(rows(shop, "order_items"))
    assert len(shop.files) == 5


def test_orders_cover_every_day_of_one_month_and_end_in_several_ways(shop: SampleShop) -> None:
    orders = rows(shop, "orders")
    assert {row["order_date"] for row in orders} == {f"2025-07-{day:02}" for day in range(1, 32)}
    assert {row["status"] for row in orders} == {"completed", "shipped", "cancelled", "returned"}


def test_each_order_is_worth_the_sum_of_its_lines(shop: SampleShop) -> None:
    def cents(amount: str) -> int:
        return int(amount.replace(".", ""))

    worth: Counter[str] = Counter()
    for line in rows(shop, "order_items"):
        worth[line["order_id"]] += int(line["quantity"]) * cents(line["unit_price"])
    orders = {row["order_id"]: cents(row["total_amount"]) for row in rows(shop, "orders")}
    waiting = worth.keys() - orders.keys()
    assert len(waiting) == 1
    assert {order: worth[order] for order in orders} == orders


def test_six_categories_are_sold_and_every_line_names_a_product_of_the_catalogue(
    shop: SampleShop,
) -> None:
    products = {row["product_id"]: row["category"] for row in rows(shop, "products")}
    sold = {products[line["product_id"]] for line in rows(shop, "order_items")}
    assert sold == {category for category, *_ in CATALOGUE}
    assert len(sold) == 6


def test_orders_of_the_first_half_come_back_in_the_second(shop: SampleShop) -> None:
    stated = Counter(row["order_id"] for row in rows(shop, "orders"))
    restated = {order for order, times in stated.items() if times == 2}
    assert len(restated) == shop.restated_orders == 3
    last = {row["order_id"]: row["status"] for row in rows(shop, "orders")}
    assert {last[order] for order in restated} == {"returned"}


def test_bad_rows_are_of_every_kind_in_every_kind_of_file(shop: SampleShop) -> None:
    text = {
        kind: "".join(path.read_text() for path in (shop.directory / kind).glob("*"))
        for kind in ("orders", "order_items", "products")
    }
    for kind, signs in {
        "orders": ("2025-02-30", ",-15.00,", ",19.999,", "\n,", ',"5001,'),
        "order_items": (",0,9.90", ",two,", ",$12.00"),
        "products": (",,Gift card",),
    }.items():
        assert [sign for sign in signs if sign not in text[kind]] == []
    assert shop.bad_rows == len(BAD_ORDERS) + len(BAD_ORDER_ITEMS) + len(BAD_PRODUCTS)


def test_scale_multiplies_orders_and_bad_rows_but_not_the_catalogue(tmp_path: Path) -> None:
    shop = write_sample_shop(tmp_path, scale=3)
    assert shop.orders - shop.restated_orders == 3 * ORDERS_PER_SCALE
    assert shop.bad_rows == 3 * (len(BAD_ORDERS) + len(BAD_ORDER_ITEMS)) + len(BAD_PRODUCTS)
    assert shop.products == sum(len(entries) for *_, entries in CATALOGUE)


def test_another_month_has_its_own_days(tmp_path: Path) -> None:
    shop = write_sample_shop(tmp_path, month=date(2024, 2, 1))
    days = {row["order_date"] for row in rows(shop, "orders")}
    assert (min(days), max(days)) == ("2024-02-01", "2024-02-29")
    assert shop.files[1].name == "2024-02-part1.csv"


def test_weekends_and_payday_sell_more() -> None:
    share = day_weights(date(2025, 7, 1))
    tuesday, saturday, friday_after_payday = share[7], share[11], share[24]
    assert share.sum() == pytest.approx(1.0)
    assert saturday > tuesday * 1.3
    assert friday_after_payday > tuesday * 1.2


def test_a_scale_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scale must be 1 or more, not 0"):
        write_sample_shop(tmp_path, scale=0)
