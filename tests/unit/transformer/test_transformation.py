"""The rules of docs/design.md, Facts and KPIs, one by one, as batches meet them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import PipelineError, StaleWriter
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.transform import transform_batch
from tests.model import ShopModel
from tests.support.examples import STEPS
from tests.support.transforming import (
    Batch,
    LocalInputs,
    Workbench,
    a_batch,
    line,
    local_workbench,
    order,
    product,
)

pytestmark = pytest.mark.medium


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return local_workbench(tmp_path)


def day(bench: Workbench, order_date: str = "2025-07-07") -> dict[str, Any]:
    """The OrderKPIs item of a day."""
    [found] = [item for item in bench.order_kpis() if item["order_date"] == order_date]
    return found


def days(bench: Workbench) -> list[str]:
    return [item["order_date"] for item in bench.order_kpis()]


def categories(bench: Workbench, order_date: str = "2025-07-07") -> dict[str, Any]:
    """Revenue by category of a day."""
    return {
        item["category"]: item["daily_revenue"]
        for item in bench.category_kpis()
        if item["order_date"] == order_date
    }


def test_a_day_counts_orders_revenue_items_returns_and_customers(bench: Workbench) -> None:
    bench.transform(
        a_batch(
            [
                order("1", user_id="anna", total_amount="30.10"),
                order("2", user_id="ben", total_amount="0.05", status="Returned"),
                order("3", user_id="anna", total_amount="1.00"),
            ],
            [line("1", quantity=3), line("1", quantity=2), line("2", "p2")],
        )
    )
    assert bench.order_kpis() == [
        {
            "order_date": "2025-07-07",
            "total_orders": 3,
            "total_revenue": Decimal("31.15"),
            "total_items_sold": 6,
            "return_rate": Decimal("0.3333"),
            "unique_customers": 2,
            "guests": 0,
        }
    ]


def test_a_category_counts_its_lines_and_the_distinct_orders_that_hold_it(bench: Workbench) -> None:
    bench.transform(
        a_batch(
            [order("1"), order("2", status="returned"), order("3")],
            [
                line("1", "p1", quantity=3, unit_price="0.05"),
                line("1", "p1", quantity=1, unit_price="10.00"),
                line("2", "p1", quantity=1, unit_price="0.01"),
                line("3", "p1", quantity=1, unit_price="0.01"),
                line("3", "p2", quantity=2, unit_price="7.00"),
            ],
            [product("p1", "Books"), product("p2", "Toys")],
        )
    )
    assert bench.category_kpis() == [
        {
            "category": "Books",
            "order_date": "2025-07-07",
            "daily_revenue": Decimal("10.17"),
            "avg_order_value": Decimal("3.39"),
            "avg_return_rate": Decimal("0.3333"),
        },
        {
            "category": "Toys",
            "order_date": "2025-07-07",
            "daily_revenue": Decimal("14.00"),
            "avg_order_value": Decimal("14.00"),
            "avg_return_rate": Decimal("0.0000"),
        },
    ]


def test_half_a_cent_is_rounded_up(bench: Workbench) -> None:
    lines = [line("1", unit_price="0.01"), line("2", unit_price="0.02")]
    bench.transform(a_batch([order("1"), order("2")], lines, [product()]))
    [item] = bench.category_kpis()
    assert item["avg_order_value"] == Decimal("0.02")


def test_the_largest_amounts_are_exact(bench: Workbench) -> None:
    most = "9999999999.99"
    orders = [order(str(number), total_amount=most) for number in range(30)]
    lines = [line(str(number), quantity=1_000_000, unit_price=most) for number in range(30)]
    bench.transform(a_batch(orders, lines, [product()]))
    assert day(bench)["total_revenue"] == 30 * Decimal(most)
    assert categories(bench) == {"Books": 30_000_000 * Decimal(most)}


def test_a_late_order_is_added_to_its_day(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    result = bench.transform(a_batch([order("2", user_id="ben", total_amount="5.00")]))
    assert result["affected_days"] == ["2025-07-07"]
    assert (day(bench)["total_orders"], day(bench)["total_revenue"]) == (2, Decimal("15.00"))


def test_the_newest_statement_of_an_order_replaces_the_earlier_one(bench: Workbench) -> None:
    bench.transform(a_batch([order("1", total_amount="10.00")]))
    bench.transform(a_batch([order("1", total_amount="12.50", status="returned")]))
    assert (day(bench)["total_orders"], day(bench)["total_revenue"]) == (1, Decimal("12.50"))
    assert day(bench)["return_rate"] == Decimal("1.0000")


def test_an_order_that_moves_is_taken_from_its_old_day(bench: Workbench) -> None:
    bench.transform(a_batch([order("1"), order("2")], [line("1"), line("2")], [product()]))
    result = bench.transform(a_batch([order("2", "2025-07-09")]))
    assert result["affected_days"] == ["2025-07-07", "2025-07-09"]
    assert [day(bench, one)["total_orders"] for one in days(bench)] == [1, 1]
    assert categories(bench) == categories(bench, "2025-07-09") == {"Books": Decimal("10.00")}


def test_a_day_whose_last_order_moved_is_deleted(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product()]))
    result = bench.transform(a_batch([order("1", "2025-07-09")]))
    assert days(bench) == ["2025-07-09"]
    assert [item["order_date"] for item in bench.category_kpis()] == ["2025-07-09"]
    assert result["published"] == {"order_kpis": 1, "category_kpis": 1, "deleted": 2}


def test_a_line_waits_for_its_order_and_counts_when_it_comes(bench: Workbench) -> None:
    waiting = bench.transform(a_batch([], [line("1", quantity=4)], [product()]))
    assert (waiting["waiting_order_items"], waiting["affected_days"]) == (1, [])
    assert bench.order_kpis() == bench.category_kpis() == []
    arrived = bench.transform(a_batch([order("1")]))
    assert (arrived["waiting_order_items"], arrived["affected_days"]) == (0, ["2025-07-07"])
    assert day(bench)["total_items_sold"] == 4
    assert categories(bench) == {"Books": Decimal("40.00")}


def test_the_waiting_lines_are_reported_in_total(bench: Workbench) -> None:
    bench.transform(a_batch([], [line("1"), line("2")]))
    assert bench.transform(a_batch([], [line("3")]))["waiting_order_items"] == 3
    assert bench.transform(a_batch([order("2")]))["waiting_order_items"] == 2


def test_a_line_of_an_unknown_product_counts_as_unknown_until_it_comes(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1", "p9")]))
    assert categories(bench) == {"Unknown": Decimal("10.00")}
    result = bench.transform(a_batch([], [], [product("p9", "Garden")]))
    assert result["affected_days"] == ["2025-07-07"]
    assert categories(bench) == {"Garden": Decimal("10.00")}


def test_a_waiting_line_takes_the_category_that_its_product_had_first(bench: Workbench) -> None:
    bench.transform(a_batch([], [line("1", "p1")]))
    bench.transform(a_batch([], [], [product("p1", "Books")]))
    bench.transform(a_batch([], [], [product("p1", "Toys")]))
    bench.transform(a_batch([order("1")]))
    assert categories(bench) == {"Books": Decimal("10.00")}


def test_a_new_category_rewrites_no_past_day(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product("p1", "Books")]))
    result = bench.transform(
        a_batch([order("2", "2025-07-08")], [line("2")], [product("p1", "Toys")])
    )
    assert result["affected_days"] == ["2025-07-08"]
    assert categories(bench) == {"Books": Decimal("10.00")}
    assert categories(bench, "2025-07-08") == {"Toys": Decimal("10.00")}


def test_a_day_computed_again_keeps_the_category_its_lines_had(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product("p1", "Books")]))
    bench.transform(a_batch([], [], [product("p1", "Toys")]))
    bench.transform(a_batch([order("1", total_amount="11.00")]))
    assert categories(bench) == {"Books": Decimal("10.00")}


def test_the_lines_of_a_pair_replace_all_its_earlier_ones(bench: Workbench) -> None:
    earlier = [line("1", quantity=2), line("1", quantity=3), line("1", "p2")]
    bench.transform(a_batch([order("1")], earlier, [product("p1"), product("p2", "Toys")]))
    bench.transform(a_batch([], [line("1", quantity=1), line("1", quantity=1)]))
    assert day(bench)["total_items_sold"] == 3
    assert categories(bench) == {"Books": Decimal("20.00"), "Toys": Decimal("10.00")}


def test_a_restated_line_keeps_the_category_it_had(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product("p1", "Books")]))
    bench.transform(a_batch([], [line("1", quantity=5)], [product("p1", "Toys")]))
    assert categories(bench) == {"Books": Decimal("50.00")}


def test_equal_lines_of_one_batch_are_all_kept(bench: Workbench) -> None:
    result = bench.transform(a_batch([order("1")], [line("1"), line("1"), line("1")]))
    assert day(bench)["total_items_sold"] == 3
    assert result["files"][1]["duplicates"] == 0


def test_a_category_that_vanishes_from_a_day_is_deleted_there(bench: Workbench) -> None:
    orders = [order("1"), order("2"), order("3", "2025-07-08")]
    lines = [line("1"), line("2", "p2"), line("3", "p2")]
    bench.transform(a_batch(orders, lines, [product("p1", "Books"), product("p2", "Toys")]))
    result = bench.transform(a_batch([order("2", "2025-07-08")]))
    assert categories(bench) == {"Books": Decimal("10.00")}
    assert categories(bench, "2025-07-08") == {"Toys": Decimal("20.00")}
    assert result["published"]["deleted"] == 1


def test_of_repeated_ids_in_a_batch_the_last_one_wins_and_its_rows_stay_accepted(
    bench: Workbench,
) -> None:
    result = bench.transform(
        Batch(
            [
                ("orders", [order("1", total_amount="1.00"), order("1", total_amount="2.00")]),
                ("orders", [order("2"), order("1", total_amount="3.00")]),
                ("products", [product("p1", "Books"), product("p1", "Toys")]),
                ("order_items", [line("1")]),
            ]
        )
    )
    assert day(bench)["total_revenue"] == Decimal("13.00")
    assert categories(bench) == {"Toys": Decimal("10.00")}
    assert [(file["accepted"], file["duplicates"]) for file in result["files"]] == [
        (2, 0),
        (2, 0),
        (2, 0),
        (1, 0),
    ]


def test_every_file_adds_up(bench: Workbench) -> None:
    result = bench.transform(
        Batch([("orders", [order("1"), order("1")]), ("order_items", [line()])], quarantined=3)
    )
    for file in result["files"]:
        assert file["rows_in"] == file["accepted"] + file["quarantined"] + file["duplicates"]
    assert [file["rows_in"] for file in result["files"]] == [5, 4]
    assert [file["quarantined"] for file in result["files"]] == [3, 3]


def test_a_file_that_does_not_add_up_publishes_nothing(bench: Workbench) -> None:
    bench.transform(a_batch([order("1")]))
    before = bench.facts(), bench.order_kpis()
    command = bench.stage(a_batch([order("2")]))
    inputs = bench.ports.inputs
    assert isinstance(inputs, LocalInputs)
    inputs.batches[command.batch_id][0]["rows_in"] += 1
    with pytest.raises(PipelineError, match=r"does not balance: 2 rows in.*nothing was published"):
        transform_batch(command, bench.ports)
    assert (bench.order_kpis(), bench.events(command.batch_id)) == (before[1], ["TransformStarted"])
    abandon_batch(bench.abandoning(command), bench.ports)
    assert bench.facts() == before[0]


def test_a_batch_with_a_rejected_file_publishes_nothing(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    inputs = bench.ports.inputs
    assert isinstance(inputs, LocalInputs)
    inputs.batches[command.batch_id][0] |= {"status": "rejected", "reason": "no header"}
    answer = transform_batch(command, bench.ports)
    assert answer["outcome"] == "REJECTED"
    assert answer["reason"].endswith("was rejected: no header")
    assert answer["rejected_files"] == [0]
    assert bench.order_kpis() == []
    assert bench.events(command.batch_id) == []


def test_a_duplicate_file_is_told_and_counts_nothing(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    manifest = bench.ports.objects.get_json(command.manifest)
    again = {**manifest["files"][0], "index": 1, "key": "orders/again.csv", "duplicate_of": 0}
    manifest["files"].append(again)
    ref = bench.ports.objects.put_json("ecommerce-data-bucket", "manifest.json", manifest)
    answer = transform_batch(command.model_copy(update={"manifest": ref}), bench.ports)
    assert [(file["status"], file["duplicates"]) for file in bench.result(answer)["files"]] == [
        ("accepted", 0),
        ("duplicate", 1),
    ]
    assert day(bench)["total_orders"] == 1


@pytest.mark.parametrize("kind", ["orders", "order_items", "products"])
def test_a_file_without_an_accepted_row_changes_nothing(bench: Workbench, kind: str) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product()]))
    before = bench.facts(), bench.order_kpis(), bench.category_kpis()
    command = bench.stage(Batch([(kind, [])], quarantined=2))
    inputs = bench.ports.inputs
    assert isinstance(inputs, LocalInputs)
    result = bench.result(transform_batch(command, bench.ports))
    assert result["affected_days"] == []
    assert [(file["rows_in"], file["quarantined"]) for file in result["files"]] == [(2, 2)]
    assert (bench.facts(), bench.order_kpis(), bench.category_kpis()) == before


def test_a_day_of_more_items_than_a_transaction_takes_is_published_whole(bench: Workbench) -> None:
    products = [product(f"p{number}", f"Category {number}") for number in range(250)]
    lines = [line("1", f"p{number}") for number in range(250)]
    bench.transform(a_batch([order("1")], lines, products))
    assert len(categories(bench)) == 250
    bench.transform(a_batch([order("1", "2025-07-09")]))
    assert categories(bench) == {}
    assert len(categories(bench, "2025-07-09")) == 250


@pytest.mark.slow
@pytest.mark.parametrize("every", STEPS)
def test_days_of_two_years_are_touched_at_once(bench: Workbench, every: int) -> None:
    dates = [
        f"{year}-{month:02}-{one:02}"
        for year in (2024, 2025)
        for month in range(1, 13)
        for one in range(1, 29)
    ][::every]
    orders = [order(str(number), one) for number, one in enumerate(dates)]
    model = ShopModel()
    for total in ("1.00", "2.00"):
        batch = a_batch([{**each, "total_amount": total} for each in orders], [line("5")])
        result = bench.transform(batch)
        batch.told_to(model)
    assert len(result["affected_days"]) == len(dates)
    bench.assert_equals(model)


def test_a_batch_that_comes_again_is_published_once(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")], [line("1")]))
    first = transform_batch(command, bench.ports)
    before = bench.facts(), bench.state()
    assert transform_batch(command, bench.restarted().ports) == first
    assert (bench.facts(), bench.state()) == before
    assert bench.events(command.batch_id).count("KpisPublished") == 1


def test_rows_sent_again_in_another_batch_change_no_number(bench: Workbench) -> None:
    rows = [order("1"), order("2")], [line("1"), line("2")], [product()]
    bench.transform(a_batch(*rows))
    before = bench.order_kpis(), bench.category_kpis()
    bench.transform(a_batch(*rows))
    assert (bench.order_kpis(), bench.category_kpis()) == before


def test_every_row_of_the_facts_says_where_it_came_from(bench: Workbench) -> None:
    batch = Batch([("orders", [order("1")]), ("orders", [order("2"), order("3")])])
    bench.transform(batch)
    assert [
        (row["order_id"], row["batch_id"], row["source_key"], row["source_line"])
        for row in bench.facts()["orders"]
    ] == [
        ("1", batch.batch_id, f"orders/{batch.batch_id}-0.csv", 2),
        ("2", batch.batch_id, f"orders/{batch.batch_id}-1.csv", 2),
        ("3", batch.batch_id, f"orders/{batch.batch_id}-1.csv", 3),
    ]


def test_every_kpi_item_says_who_wrote_it(bench: Workbench) -> None:
    first, second = a_batch([order("1")]), a_batch([order("2", "2025-07-08")])
    bench.transform(first)
    bench.transform(second)
    items = bench.ports.store.scan("OrderKPIs")
    assert {item["order_date"]: (item["batch_id"], item["epoch"]) for item in items} == {
        "2025-07-07": (first.batch_id, 1),
        "2025-07-08": (second.batch_id, 2),
    }


def test_a_batch_given_up_before_publication_leaves_the_facts_as_they_were(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.transform(a_batch([order("1")], [line("1")], [product()]))
    before = bench.facts(), bench.order_kpis(), bench.category_kpis()
    command = bench.stage(a_batch([order("1", "2025-07-09"), order("2")], [line("2")]))

    def fails(*_: Any, **__: Any) -> None:
        raise PipelineError("the document cannot be written")

    with monkeypatch.context() as broken:
        broken.setattr(bench.ports.objects, "put_json", fails)
        with pytest.raises(PipelineError, match="cannot be written"):
            transform_batch(command, bench.ports)
    assert bench.facts() != before[0], "main had moved, or there is nothing to undo"
    answer = abandon_batch(bench.abandoning(command), bench.ports)
    assert answer == {"outcome": "ABANDONED"}
    assert (bench.facts(), bench.order_kpis(), bench.category_kpis()) == before
    assert bench.events(command.batch_id)[-1] == "BatchAbandoned"


def test_an_abandoned_batch_stays_abandoned_under_its_grant_and_not_under_the_next(
    bench: Workbench,
) -> None:
    command = bench.stage(a_batch([order("1")]))
    abandon_batch(bench.abandoning(command), bench.ports)
    with pytest.raises(StaleWriter, match="was abandoned under lock fence 1"):
        transform_batch(command, bench.ports)
    assert bench.order_kpis() == []
    redriven = command.model_copy(update={"fence": 2})
    assert transform_batch(redriven, bench.ports)["outcome"] == "PUBLISHED"
    assert days(bench) == ["2025-07-07"]


def test_giving_up_a_published_batch_says_that_it_is_published(bench: Workbench) -> None:
    command = bench.stage(a_batch([order("1")]))
    published = transform_batch(command, bench.ports)
    assert abandon_batch(bench.abandoning(command), bench.ports) == published
    assert days(bench) == ["2025-07-07"]


def test_a_command_of_an_earlier_lock_grant_is_refused(bench: Workbench) -> None:
    bench.fence = 7
    bench.transform(a_batch([order("1")]))
    bench.fence = 6
    command = bench.stage(a_batch([order("2")]))
    with pytest.raises(StaleWriter, match="lock fence 6 is stale: 7 was seen"):
        transform_batch(command, bench.ports)
    with pytest.raises(StaleWriter, match="lock fence 6 is stale"):
        abandon_batch(bench.abandoning(command), bench.ports)
    assert day(bench)["total_orders"] == 1
