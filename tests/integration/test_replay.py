"""The round trip of quarantine: export, correct, dry run, replay; the end equals the model's.

In the model a corrected row stood in its place from the beginning.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import RunningCloud
from tests.model import ShopModel
from tests.support.ecp import Said, ecp
from tests.support.pipeline import DATA_BUCKET, Pipeline
from tests.support.standing import assert_kpis_equal, csv_of, rows_of

pytestmark = pytest.mark.integration

DAY = "2024-06-01"
Table = list[dict[str, str]]


def submit(pipeline: Pipeline, name: str, batch: Mapping[str, Table]) -> str:
    """Puts one batch through the pipeline; returns its id."""
    pipeline.upload_set(
        name, {f"{kind}/{name}.csv": csv_of(kind, rows) for kind, rows in batch.items()}
    )
    closed = pipeline.batch_of(f"{next(iter(batch))}/{name}.csv")
    assert closed["status"] == "COMPLETED", closed
    return str(closed["batch_id"])


def with_faults(rows: Table, faults: Mapping[int, tuple[str, str]]) -> Table:
    """The rows with another value in one column of some of them."""
    return [row | dict([faults[n]]) if n in faults else row for n, row in enumerate(rows)]


def correct(path: Path, fixes: Mapping[str, Mapping[str, str]]) -> Table:
    """Edits an exported file as a spreadsheet would, by the original line; the rows before."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_MINIMAL)
        writer.writeheader()
        writer.writerows({**row, **fixes.get(row["_line"], {})} for row in rows)
    return rows


@pytest.fixture
def shop(running_cloud: RunningCloud, tmp_path: Path) -> "Shop":
    return Shop(running_cloud, tmp_path)


class Shop:
    """A cloud, a model, and a folder for corrections."""

    def __init__(self, cloud: RunningCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.pipeline = Pipeline(cloud.environment())

    def run(self, *arguments: object) -> Said:
        return ecp(*arguments, directory=self.cloud.directory)

    def replay(self, *arguments: object) -> dict[str, Any]:
        files = sorted(self.folder.glob("*.csv"))
        return dict(self.run("quarantine", "replay", *files, *arguments, "--json").document)


def verdicts(said: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    return {(row["kind"], row["line"]): row["verdict"] for row in said["rows"]}


def test_corrected_rows_count_as_if_they_had_been_right_from_the_beginning(shop: Shop) -> None:
    pipeline, model = shop.pipeline, ShopModel()
    right = {
        "orders": rows_of("orders", *(f"{n},u{n},{DAY},10.00,completed" for n in range(1, 21))),
        "order_items": rows_of(
            "order_items",
            *(f"{n},p1,1,10.00" for n in range(1, 16)),
            "1,p1,2,1.00",
            "1,p1,3,1.00",
            "2,p1,4,1.00",
        ),
        "products": rows_of("products", "p1,Books,=1+1,10.00"),
    }
    faults: dict[str, dict[int, tuple[str, str]]] = {
        "orders": {9: ("order_date", "2024-06-31"), 10: ("total_amount", "-10.00")},
        "order_items": {
            15: ("quantity", "-2"),
            16: ("quantity", "three"),
            17: ("unit_price", "1,00"),
        },
        "products": {},
    }
    first = submit(
        pipeline, "first", {kind: with_faults(rows, faults[kind]) for kind, rows in right.items()}
    )
    model.apply(**right)
    later = {
        "orders": rows_of("orders", f"11,u11,{DAY},77.00,completed"),
        "order_items": rows_of("order_items", "2,p1,9,9.00"),
    }
    submit(pipeline, "later", later)
    model.apply(**later)

    exported = shop.run("quarantine", "export", first, "--to", shop.folder)
    assert exported.exit_code == 0, exported.err
    before = correct(
        shop.folder / "orders.csv",
        {"11": {"order_date": DAY}, "12": {"total_amount": "10.00"}},
    )
    assert [row["total_amount"] for row in before] == ["10.00", "'-10.00"]
    correct(
        shop.folder / "order_items.csv",
        {"17": {"quantity": "2"}, "19": {"unit_price": "1.00"}},
    )

    planned = shop.replay("--dry-run")
    assert verdicts(planned) == {
        ("orders", 11): "fixed",
        ("orders", 12): "refused",
        ("order_items", 17): "fixed",
        ("order_items", 18): "unchanged",
        ("order_items", 19): "refused",
    }
    assert len(pipeline.batches()) == 2

    replayed = shop.replay("--wait")
    assert replayed["status"] == "COMPLETED", replayed
    assert sum(file["accepted"] for file in replayed["files"]) == 1 + 2

    correct(shop.folder / "order_items.csv", {"18": {"quantity": "3"}})
    twice = shop.replay("--wait")
    assert twice["status"] == "COMPLETED", twice
    assert verdicts(twice)["order_items", 17] == "fixed"
    assert_kpis_equal(pipeline, model)

    rows = shop.run("quarantine", "list", "--json").document
    answered = {row["line"]: row["answered_by"] for row in rows if row["kind"] == "order_items"}
    assert answered[17] == {"batch_id": twice["batch_id"], "status": "COMPLETED"}
    assert answered[19] is None
    still_open = shop.run("quarantine", "list", "--open", "--json").document
    assert {(row["kind"], row["line"]) for row in still_open} == {
        ("orders", 12),
        ("order_items", 19),
    }
    manifest = pipeline.manifest(twice["batch_id"])
    assert manifest["answers"]["key"].startswith("quarantine/answers/")

    correct(shop.folder / "orders.csv", {"11": {"order_id": "999"}})
    assert verdicts(shop.replay("--dry-run"))["orders", 11] == "refused"


@pytest.mark.thorough
def test_each_line_of_a_pair_counts_once_however_often_they_are_corrected_in_turn(
    shop: Shop,
) -> None:
    """What a replay takes along keeps its place, so that its next correction finds it."""
    day = "2024-08-01"
    right = {
        "orders": rows_of("orders", *(f"t{n},u{n},{day},10.00,completed" for n in range(1, 9))),
        "order_items": rows_of(
            "order_items",
            *(f"t{n},r1,1,10.00" for n in range(1, 9)),
            *("t1,r1,20,1.00", "t1,r1,30,1.00"),
        ),
        "products": rows_of("products", "r1,Rakes,A rake,10.00"),
    }
    bad = {8: ("quantity", "x"), 9: ("quantity", "y")}
    batch = submit(
        shop.pipeline, "turns", right | {"order_items": with_faults(right["order_items"], bad)}
    )
    corrections = shop.folder / "order_items.csv"
    for line, quantity in (("10", "21"), ("11", "31"), ("10", "22"), ("11", "32"), ("10", "23")):
        exported = shop.run("quarantine", "export", batch, "--all", "--to", shop.folder)
        assert exported.exit_code == 0, exported.err
        correct(corrections, {line: {"quantity": quantity}})
        assert shop.replay("--wait")["status"] == "COMPLETED"
        corrections.unlink()

    newest = {8: ("quantity", "23"), 9: ("quantity", "32")}
    model = ShopModel().apply(
        **(right | {"order_items": with_faults(right["order_items"], newest)})
    )
    [sold] = model.order_kpis()
    [revenue] = model.category_kpis()
    assert sold.items() <= shop.pipeline.order_kpis()[day].items()
    assert revenue.items() <= shop.pipeline.category_kpis()["Rakes", day].items()


def test_a_refused_file_comes_back_byte_for_byte_and_the_corrected_one_completes_the_set(
    shop: Shop,
) -> None:
    text = "day,order_id\r\n1,\u00e9\r\n".encode()
    good = csv_of("orders", rows_of("orders", "51,u51,2024-07-01,5.00,completed"))
    items = csv_of("order_items", rows_of("order_items", "51,p1,1,5.00"))
    shop.pipeline.upload_set(
        "refused", {"orders/refused.csv": text.decode(), "order_items/refused.csv": items}
    )
    assert shop.pipeline.batch_of("orders/refused.csv")["status"] == "REJECTED"
    shown = shop.run("quarantine", "show", "orders/refused.csv")
    assert "ecp quarantine export orders/refused.csv" in shown.out

    copy = shop.folder / "back.csv"
    said = shop.run("quarantine", "export", "orders/refused.csv", "--to", copy)

    assert (said.exit_code, copy.read_bytes()) == (0, text)
    shop.pipeline.client("s3").put_object(
        Bucket=DATA_BUCKET, Key="orders/refused.csv", Body=good.encode()
    )
    assert shop.pipeline.batch_of("orders/refused.csv", after=1)["status"] == "COMPLETED"
