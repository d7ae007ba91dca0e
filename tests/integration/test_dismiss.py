"""Rows that nobody will correct, on the real pipeline: given up, hidden, told, and reopened."""

from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import RunningCloud
from tests.integration.test_replay import Shop, correct, submit
from tests.support.standing import rows_of

pytestmark = pytest.mark.integration

DAY = "2024-06-02"
KEY = "orders/given-up.csv"


@pytest.fixture
def shop(running_cloud: RunningCloud, tmp_path: Path) -> Shop:
    return Shop(running_cloud, tmp_path)


def lines(shop: Shop, batch: str, *options: str) -> dict[int, Any]:
    listed = shop.run("quarantine", "list", "--batch", batch, *options, "--json").document
    return {row["line"]: row["dismissed"] for row in listed}


def test_dismissed_rows_are_hidden_with_who_and_why_and_a_replay_reopens_them(shop: Shop) -> None:
    batch = submit(
        shop.pipeline,
        "given-up",
        {
            "orders": rows_of(
                "orders",
                *(f"g{n},u{n},{DAY},10.00,completed" for n in range(1, 11)),
                *(f"g{n},u{n},2024-06-31,10.00,completed" for n in (11, 12)),
            ),
            "order_items": rows_of("order_items", "g1,p1,1,10.00"),
            "products": rows_of("products", "p1,Books,A book,10.00"),
        },
    )
    exported = shop.run("quarantine", "export", batch, "--to", shop.folder)
    assert exported.exit_code == 0, exported.err

    said = shop.run(
        "quarantine", "dismiss", KEY, "--line", 12, "--reason", "orders of the test till"
    )

    assert said.exit_code == 0, said.err
    assert set(lines(shop, batch)) == set(lines(shop, batch, "--open")) == {13}
    [(line, word)] = lines(shop, batch, "--dismissed").items()
    assert (line, word["reason"]) == (12, "orders of the test till")
    assert "@" in word["requested_by"]
    listed = shop.run("quarantine", "list", "--batch", batch).out
    assert "2 rows: 1 open, 1 dismissed" in listed
    story = shop.run("batch", batch).out
    assert "quarantined line 12 of orders/given-up.csv given up by" in story
    assert "orders of the test till" in story
    again = shop.run("quarantine", "dismiss", KEY, "--line", 12, "--reason", "once more")
    assert (again.exit_code, "nothing of line 12" in again.err) == (2, True)

    assert shop.run("quarantine", "dismiss", batch, "--reason", "all of it").exit_code == 0
    assert lines(shop, batch) == {}
    nothing = shop.run("quarantine", "export", batch, "--to", shop.folder / "none")
    assert nothing.exit_code == 2

    correct(shop.folder / "orders.csv", {"12": {"order_date": DAY}})
    replayed = shop.replay("--wait")

    assert replayed["status"] == "COMPLETED", replayed
    reopened = next(row for row in replayed["rows"] if row["line"] == 12)
    assert "had dismissed it (all of it)" in reopened["message"]
    assert set(lines(shop, batch)) == {12}
    assert shop.pipeline.order_kpis()[DAY]["total_orders"] == 11


def test_a_refused_file_is_dismissed_with_its_rows(shop: Shop) -> None:
    key = "orders/refused-for-good.csv"
    shop.pipeline.upload_set("for-good", {key: "day,order_id\n1,2\n"})
    closed = shop.pipeline.batch_of(key)
    assert closed["status"] == "REJECTED", closed
    batch = str(closed["batch_id"])
    assert key in shop.run("quarantine", "list", "--batch", batch).out

    said = shop.run("quarantine", "dismiss", key, "--reason", "another shop's file")

    assert said.exit_code == 0, said.err
    listed = shop.run("quarantine", "list", "--batch", batch).out
    assert key not in listed
    assert "1 refused file: 1 dismissed" in listed
    assert "another shop's file" in shop.run("quarantine", "list", "--batch", batch, "--all").out
    assert "everything in quarantine of orders/refused-for-good.csv" in shop.run("batch", batch).out
