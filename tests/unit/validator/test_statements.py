"""A file is a statement: which rows of it stand, whatever the shape, the size and the hashes."""

import io
import random
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from contracts.file_contracts import file_contract
from services.validator.reading import duplicate_candidates, duplicates, file_check, verdict
from services.validator.reading.duplicate_candidates import KeyHashes, hashes_of
from services.validator.reading.file_check import check_file
from services.validator.reading.verdict import FileCheck
from tests.support.examples import some
from tests.support.shop import a_product, an_order, orders_csv, products_csv
from tests.support.standing_rows import that_stand

TODAY = date(2025, 7, 8)


def check(
    content: str, kind: str = "orders", limit: float = 1.0, **more: Any
) -> tuple[FileCheck, list[dict[str, Any]], list[Any]]:
    rows: list[dict[str, Any]] = []
    bad: list[Any] = []
    outcome = check_file(
        lambda: io.BytesIO(content.encode()),
        file_contract(kind),
        name=f"{kind}/a.csv",
        today=TODAY,
        max_rejected_fraction=limit,
        on_accepted=lambda table: rows.extend(table.to_pylist()),
        on_quarantined=bad.extend,
        **more,
    )
    return outcome, that_stand(outcome, rows), sorted(bad, key=lambda row: row.line)


def sums(outcome: FileCheck) -> tuple[int, int, int, int]:
    return outcome.rows_in, outcome.accepted, outcome.quarantined, outcome.duplicates


def test_equal_rows_are_duplicates_and_the_last_is_staged() -> None:
    text = orders_csv(an_order(), an_order("2"), an_order(total_amount="10"), an_order())
    outcome, rows, bad = check(text)
    assert sums(outcome) == (4, 2, 0, 2)
    assert [(row["order_id"], row["source_line"]) for row in rows] == [("2", 3), ("1", 5)]
    assert bad == []


def test_what_looks_the_same_is_the_same() -> None:
    text = orders_csv(
        an_order("caf\u00e9", total_amount="36.39", status="PAID"),
        an_order('"=""cafe\u0301"""', total_amount="36.3900", status=" paid\u00a0"),
    )
    assert sums(check(text)[0]) == (2, 1, 0, 1)


def test_of_contradictions_the_last_stands_and_the_others_say_which_and_why() -> None:
    text = orders_csv(
        an_order("111-1", "u1", total_amount="10.00"),
        an_order("111-1", "u2", total_amount="20.00"),
        an_order("111-1", "u1", total_amount="30.00"),
        an_order("111-2"),
    )
    outcome, rows, bad = check(text)
    assert sums(outcome) == (4, 2, 2, 0)
    assert [(row["total_amount_cents"], row["source_line"]) for row in rows] == [
        (3000, 4),
        (1000, 5),
    ]
    assert [(row.line, row.column, row.rule) for row in bad] == [
        (2, "order_id", "order_id.contradicted"),
        (3, "order_id", "order_id.contradicted"),
    ]
    assert bad[0].message == (
        "orders/a.csv line 2: order_id 111-1 is stated again, and otherwise, in line 4, which "
        "stands: total_amount 10.00 here, 30.00 there (rule order_id.contradicted, orders v2)"
    )
    assert "another user_id" in bad[1].message
    assert "u2" not in bad[1].message
    assert bad[0].raw == "111-1,u1,2025-07-07,10.00,completed"


def test_the_text_of_a_contradiction_is_kept_without_its_line_break() -> None:
    text = orders_csv(an_order(), an_order(status="x")).replace("\n", "\r\n")
    [bad] = check(text)[2]
    assert bad.raw == an_order()


def test_a_row_that_says_what_stands_is_a_duplicate_also_before_a_contradiction() -> None:
    text = orders_csv(an_order(), an_order(status="x"), an_order())
    assert sums(check(text)[0]) == (3, 1, 1, 1)


def test_contradictions_count_towards_the_share_that_rejects_a_file() -> None:
    rows = [an_order(str(n)) for n in range(7)] + [an_order("7", status=f"s{n}") for n in range(4)]
    outcome, _, bad = check(orders_csv(*rows), limit=0.2)
    assert (outcome.rule, len(bad)) == ("file.too_many_bad_rows", 3)
    assert sums(outcome) == (11, 0, 11, 0)
    assert "most often order_id.contradicted (3 rows, the first in lines 9, 10, 11)" in str(
        outcome.reason
    )


def test_a_single_bad_row_is_told_as_one() -> None:
    outcome, _, _ = check(orders_csv(an_order(), an_order(status="x")), limit=0.2)
    assert "order_id.contradicted (1 row, the first in line 2)" in str(outcome.reason)


def test_products_are_told_apart_by_their_id() -> None:
    text = products_csv(a_product(name="Bear"), a_product(name='"Big\nBear"'), a_product("p2"))
    outcome, rows, bad = check(text, "products")
    assert sums(outcome) == (3, 2, 1, 0)
    assert (bad[0].rule, bad[0].line) == ("product_id.contradicted", 2)
    assert rows[0]["name"] == "Big\nBear"


def test_texts_that_contradict_each_other_are_shown_by_their_beginnings() -> None:
    long = "Bear with a hat, " * 10
    text = products_csv(a_product(name=f'"{long}"'), a_product(name="Bear"))
    [bad] = check(text, "products")[2]
    assert f"which stands: name {long[:80]} here, Bear there (rule" in bad.message


LINES = "order_id,product_id,quantity,unit_price,line_id,line_amount\n"


def test_lines_are_told_apart_by_order_and_line_id_where_they_have_one() -> None:
    text = LINES + (
        "1,p1,1,5.00,a,\n1,p1,1,5.00,b,\n2,p1,1,5.00,a,\n1,p1,1,5.00,,\n1,p1,1,5.00,NULL,\n"
        "1,p1,1,5.00,a,5.00\n1,p1,1,5.00,b,4.99\n"
    )
    outcome, rows, bad = check(text, "order_items")
    assert sums(outcome) == (7, 5, 1, 1)
    assert [(row["line_id"], row["line_amount_cents"]) for row in rows] == [
        ("a", 500),
        (None, 500),
        (None, 500),
        ("a", 500),
        ("b", 499),
    ]
    assert (bad[0].line, bad[0].rule) == (3, "line_id.contradicted")
    assert "order_id 1 line_id b" in bad[0].message


def test_equal_lines_without_an_id_are_all_kept() -> None:
    text = "order_id,product_id,quantity,unit_price\n" + "1,p1,1,5.00\n" * 3
    assert sums(check(text, "order_items")[0]) == (3, 3, 0, 0)


def test_where_no_key_repeats_nothing_is_removed() -> None:
    assert check(orders_csv(an_order("1"), an_order("2")))[0].removed is None


def test_guests_are_those_that_stand() -> None:
    text = orders_csv(an_order("1", ""), an_order("1", "NULL"), an_order("2", "N/A"), an_order("3"))
    outcome, rows, _ = check(text, block_bytes=len(text) // 2)
    assert (sums(outcome), outcome.guests) == ((4, 3, 0, 1), 2)
    assert [row["user_id"] for row in rows] == [None, None, "u1"]


def a_hostile_file(shape: str) -> tuple[str, dict[str, int]]:
    """The text of 3,000 rows, and how often each id is in it."""
    random.seed(7)
    ids = {
        "one id": ["same"] * 3000,
        "all distinct": [f"{random.getrandbits(128):032x}-{n:03}" for n in range(3000)],
        "pairs": [str(n // 2) for n in range(3000)],
        "some": [str(random.randrange(2500)) for _ in range(3000)],
    }[shape]
    rows = [an_order(each, status=random.choice("ab")) for each in ids]
    return orders_csv(*rows), {each: ids.count(each) for each in set(ids)}


@pytest.mark.medium
@pytest.mark.parametrize("shape", some(["one id", "all distinct", "pairs", "some"]))
@pytest.mark.parametrize("way", ["held", "spilled", "all candidates", "colliding"])
def test_any_shape_is_settled_as_a_plain_reading_would(
    shape: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where hashes go to files, where every row is a candidate, and where hashes collide."""
    if way == "spilled":
        monkeypatch.setattr(file_check, "KeyHashes", lambda: KeyHashes(held_hashes=100))
        monkeypatch.setattr(file_check, "Pile", lambda: duplicates.Pile(held_bytes=10_000))
    if way == "all candidates":
        monkeypatch.setattr(duplicate_candidates, "MAX_CANDIDATES", 1)
    if way == "colliding":
        same = lambda columns, _: np.full(len(columns[0]), 42, np.uint64)  # noqa: E731
        monkeypatch.setattr(file_check, "hashes_of", same)
    text, counts = a_hostile_file(shape)
    outcome, rows, bad = check(text, block_bytes=20_000)
    lines = text.splitlines()[1:]
    last = {line.split(",")[0]: (number, line) for number, line in enumerate(lines, start=2)}
    assert [row["source_line"] for row in rows] == sorted(number for number, _ in last.values())
    expected = [
        number for number, line in enumerate(lines, start=2) if last[line.split(",")[0]][1] != line
    ]
    assert [row.line for row in bad] == expected
    assert all(row.raw == lines[row.line - 2] for row in bad)
    assert sums(outcome) == (3000, len(counts), len(expected), 3000 - len(counts) - len(expected))


@pytest.mark.medium
def test_temporary_files_are_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(file_check, "KeyHashes", lambda: KeyHashes(held_hashes=10))
    monkeypatch.setattr(file_check, "Pile", lambda: duplicates.Pile(held_bytes=10))
    check(a_hostile_file("some")[0])
    assert list(tmp_path.iterdir()) == []


def test_rows_that_do_not_fit_are_packed_into_a_file_for_each_part_of_the_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    count = 64 * 500
    rows = pa.table({"order_id": ["x" * 60] * count, "raw": ["y" * 60] * count})
    hashes = np.arange(count, dtype=np.uint64) % np.uint64(64) << np.uint64(58)
    candidates = duplicates.as_candidates(rows, ("order_id",), hashes, np.arange(count))
    with duplicates.Pile(held_bytes=10) as pile:
        pile.add(candidates)
        parts = [sum(batch.num_rows for batch in read()) for read in pile.parts()]
        packed_bytes = sum(path.stat().st_size for path in tmp_path.rglob("*.arrow"))
    assert parts == [500] * 64
    assert packed_bytes < candidates.nbytes / 2


def test_enough_contradictions_stop_the_comparing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "ENOUGH_BAD_ROWS", 50)
    monkeypatch.setattr(duplicates, "PORTION_ROWS", 20)
    rows = [an_order("1", status=f"s{n}") for n in range(500)]
    outcome, _, bad = check(orders_csv(*rows), limit=0.2)
    assert outcome.rule == "file.too_many_bad_rows"
    assert 100 < len(bad) < 200
    assert f"{len(bad)} of 500 rows are bad, more than 20%; comparing rows" in str(outcome.reason)


def test_hashes_tell_texts_apart_by_every_character_and_by_where_columns_end() -> None:
    texts = ["", "a", "b", "ab", "a" * 7, "a" * 8, "a" * 9, "a" * 64, "a" * 63 + "b", "ä"]
    one = hashes_of([pa.array(texts)], 7)
    assert len(set(one.tolist())) == len(texts)
    assert (hashes_of([pa.array(["x", *texts, "x"])[1:-1]], 7) == one).all()
    assert (hashes_of([pa.array(texts)], 8) != one).all()
    pair = hashes_of([pa.array(["ab", "a"]), pa.array(["c", "bc"])], 7)
    assert pair[0] != pair[1]


CURRENCIES = "order_id,user_id,order_date,total_amount,status,currency\n"


def an_order_in(currency: str, order_id: str) -> str:
    return f"{an_order(order_id)},{currency}\n"


def test_a_file_keeps_to_the_currency_of_its_first_row_that_says_one() -> None:
    text = CURRENCIES + an_order_in("", "1") + an_order_in("eur", "2") + an_order_in("JPY", "3")
    outcome, rows, bad = check(text + an_order_in("EUR", "4"), block_bytes=30)
    assert (sums(outcome), outcome.currency) == ((4, 3, 1, 0), "EUR")
    assert [(row.line, row.rule) for row in bad] == [(4, "currency.other")]
    assert "currency 'JPY' is not EUR, which the rows before it are in" in bad[0].message
    assert "currency" not in rows[0]


def test_rows_in_another_currency_than_the_pipelines_are_bad_also_the_first() -> None:
    text = CURRENCIES + an_order_in("EUR", "1") + an_order_in("JPY", "2")
    outcome, rows, bad = check(text, currency="JPY")
    assert outcome.currency == "JPY"
    assert [row["order_id"] for row in rows] == ["2"]
    assert "which this pipeline counts in (CURRENCY)" in bad[0].message


def test_what_is_no_currency_is_told() -> None:
    _, _, bad = check(CURRENCIES + an_order_in("€", "1") + an_order_in("Euro", "2"))
    assert {row.rule for row in bad} == {"currency.format"}


def test_a_file_that_names_no_currency_has_none() -> None:
    assert check(orders_csv(an_order()), currency="EUR")[0].currency is None
