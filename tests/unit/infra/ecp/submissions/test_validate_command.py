"""`ecp validate`: the pipeline's verdict on local files, before anything is uploaded."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.ecp.main import app
from tests.support.shop import a_product, an_order, orders_csv, products_csv


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAX_REJECTED_FRACTION", raising=False)


def a_shop(folder: Path, *bad: str) -> Path:
    good = [an_order(str(number)) for number in range(9)]
    for name, text in {
        "orders/a.csv": orders_csv(*good, *bad),
        "products/p.csv": products_csv(a_product()),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def validate(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["validate", *map(str, arguments)])


def test_bad_rows_are_told_and_alone_reject_nothing(tmp_path: Path) -> None:
    answer = validate(a_shop(tmp_path, an_order(total_amount="$5")), "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == {
        "files": [
            {
                "key": "orders/a.csv",
                "kind": "orders",
                "status": "accepted",
                "rows_in": 10,
                "accepted": 9,
                "quarantined": 1,
                "duplicates": 0,
                "reason": None,
                "unknown_columns": [],
                "guests": 0,
                "currency": None,
            },
            {
                "key": "products/p.csv",
                "kind": "products",
                "status": "accepted",
                "rows_in": 1,
                "accepted": 1,
                "quarantined": 0,
                "duplicates": 0,
                "reason": None,
                "unknown_columns": [],
                "guests": 0,
                "currency": None,
            },
        ],
        "rows": [
            {
                "batch_id": None,
                "key": "orders/a.csv",
                "kind": "orders",
                "line": 11,
                "column": "total_amount",
                "rule": "total_amount.format",
                "message": "orders/a.csv line 11: total_amount '$5' is not a number such as "
                "1234.50 (digits and one dot): it names a currency; write the number alone, and "
                "the currency's code in a column `currency` (rule total_amount.format, orders v2)",
                "raw": "1,u1,2025-07-07,$5,completed",
            }
        ],
        "hints": [],
        "left_out": [],
    }


def test_people_see_the_line_with_carets_under_what_is_wrong(tmp_path: Path) -> None:
    answer = validate(a_shop(tmp_path, an_order(total_amount="$5")))
    lines = answer.stdout.splitlines()
    at = lines.index("  1,u1,2025-07-07,$5,completed")
    assert lines[at - 1].startswith("orders/a.csv line 11: total_amount '$5' is not a number")
    assert lines[at + 1] == " " * len("  1,u1,2025-07-07,") + "^^"
    assert lines[-1] == "every file would be accepted; 1 bad row would go to quarantine"
    good = validate(a_shop(tmp_path / "good"))
    assert good.stdout.splitlines()[-1] == "every file would be accepted"


def test_a_file_that_would_be_rejected_is_exit_code_1(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    (shop / "orders/b.csv").write_text("id,user\n1,2\n")
    answer = validate(shop, "--json")
    assert answer.exit_code == 1
    [rejected] = [f for f in json.loads(answer.stdout)["files"] if f["status"] == "rejected"]
    assert rejected["key"] == "orders/b.csv"
    assert "not a header" in rejected["reason"]


def test_the_share_of_bad_rows_that_rejects_a_file_is_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = a_shop(tmp_path, an_order(status=""))
    monkeypatch.setenv("MAX_REJECTED_FRACTION", "0.05")
    assert validate(shop).exit_code == 1
    monkeypatch.setenv("MAX_REJECTED_FRACTION", "many")
    answer = validate(shop)
    assert answer.exit_code == 2
    assert "MAX_REJECTED_FRACTION=many" in answer.stderr


def test_a_path_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    assert validate(tmp_path / "nothing").exit_code == 2


def test_what_would_not_be_sent_is_listed_and_rejects_when_a_kind_is_gone(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    (shop / "orders/._a.csv").write_bytes(b"\0\5\x16\7")
    (shop / "orders/b.tsv").write_text("")
    answer = validate(shop, "--json")
    assert answer.exit_code == 0
    assert [
        (one["path"], one["did_you_mean"]) for one in json.loads(answer.stdout)["left_out"]
    ] == [("orders/._a.csv", None), ("orders/b.tsv", "orders/b.csv")]
    (shop / "Order-Items").mkdir()
    answer = validate(shop)
    assert answer.exit_code == 1
    assert "hidden file left out: orders/._a.csv" in answer.stdout
    assert "no order_items file is left to send, only Order-Items/ (did you mean" in answer.stdout


def test_columns_that_are_not_read_are_named_and_a_currency_is_a_warning(tmp_path: Path) -> None:
    shop = a_shop(tmp_path)
    (shop / "products/p.csv").write_text(
        "product_id,category,name,price,Currency Code,colour\np1,Books,A,1.00,EUR,red\n"
    )
    answer = validate(shop, "--json")
    [file] = [f for f in json.loads(answer.stdout)["files"] if f["kind"] == "products"]
    assert file["unknown_columns"] == ["Currency Code", "colour"]
    said = validate(shop).stdout
    assert "products/p.csv: 2 columns not read: Currency Code, colour" in said
    assert "warning: products/p.csv: column Currency Code is not read: amounts count as" in said
    assert "column colour is" not in said


def test_orders_that_look_returned_and_do_not_say_so_are_a_hint(tmp_path: Path) -> None:
    shop = a_shop(tmp_path, an_order("20", status="wc-refunded"))
    [hint] = json.loads(validate(shop, "--json").stdout)["hints"]
    assert hint.startswith("no status of these orders is `returned`, so return_rate will be 0")
    assert "statuses seen: wc-refunded (1), completed (9)" in hint
    assert hint in validate(shop).stdout
    a_shop(tmp_path, an_order("20", status="wc-refunded"), an_order("21", status=" Returned "))
    assert json.loads(validate(shop, "--json").stdout)["hints"] == []


def test_orders_that_look_returned_to_nobody_are_no_hint(tmp_path: Path) -> None:
    shop = a_shop(tmp_path, an_order("20", status="cancelled"))
    assert json.loads(validate(shop, "--json").stdout)["hints"] == []


AMAZON = (
    "amazon-order-id\tpurchase-date\torder-status\tsku\tquantity\tcurrency\titem-price\t"
    "shipping-price\titem-promotion-discount\tship-promotion-discount\n"
    "1\t2026-09-01T10:00:00+00:00\tShipped\tA\t1\tEUR\t5.00\t\t\t\n"
    "1\t2026-09-01T10:00:00+00:00\tShipped\tB\tx\tEUR\t5.00\t\t\t\n"
    "2\t2026-09-01T10:00:00+00:00\tShipped\tB\t1\tEUR\t5.00\t\t\t\n"
    "3\t2026-09-01T10:00:00+00:00\tCancelled\tB\t0\tEUR\t\t\t\t\n"
)


@pytest.mark.medium
def test_an_export_is_read_by_the_source_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REJECTED_FRACTION", "0.5")
    path = tmp_path / "report.txt"
    path.write_text(AMAZON)
    answer = validate(path, "--source", "amazon-orders", "--json")
    found = json.loads(answer.stdout)
    [file] = found["files"]
    counts = ("rows_in", "accepted", "quarantined", "duplicates", "left_out")
    assert [file[name] for name in counts] == [4, 1, 2, 0, {"zero_quantity_line": 1}]
    assert (file["key"], file["kind"]) == ("incoming/amazon-orders/report.txt", "order_items")
    assert [(row["line"], row["rule"]) for row in found["rows"]] == [
        (2, "order.incomplete"),
        (3, "leave_out.format"),
    ]
    told = validate(path, "--source", "amazon-orders")
    assert "1 row left out as zero_quantity_line" in told.output
    assert 'quantity = "x" gives no amount (leave_out)' in " ".join(told.output.split())
    assert told.exit_code == 0


def test_an_export_that_lacks_a_column_is_rejected_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text(AMAZON.replace("sku", "SKU number"))
    answer = validate(path, "--source", "amazon-orders", "--json")
    assert answer.exit_code == 1
    [file] = json.loads(answer.stdout)["files"]
    assert 'there is no column "sku"' in file["reason"]
