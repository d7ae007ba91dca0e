"""Which corrected rows go in, and what goes with them (docs/decisions/0010)."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import AnsweredRow, ReplayAnswers, RestatedRow
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import Replay, Replays, RowId, arrange, is_open
from services.runtime.storage.documents import InMemoryObjectStore
from services.validator.quarantine.corrected_rows import Checks, faults_of, write_rows
from services.validator.quarantine.current_rows import CurrentRow, Origin, Precedence, Precedences
from services.validator.quarantine.replay_check import judge
from services.validator.quarantine.replay_links import UploadedRow, links
from services.validator.quarantine.replay_plan import CurrentRows, FixedRow, PlacedRow, Plan, plan
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.unit.infra.batch_events import an_event

SEALED = "2025-07-07T12:00:00.000Z"
CHECKS = Checks(date(2026, 1, 1))
ITEMS, ORDERS = "order_items/a.csv", "orders/a.csv"


def a_line(line: int, *fields: str, epoch: int = 5) -> FixedRow:
    """A fixed order line of the batch that was published as `epoch`."""
    row_id = RowId(BATCH, ITEMS, "v1", line)
    return FixedRow(Correction("order_items", row_id, fields, "f"), Precedence(epoch, 1, line))


def an_order(line: int, order_id: str = "1", epoch: int = 5) -> FixedRow:
    fields = (order_id, "u1", "2025-07-07", "1.00", "completed")
    row_id = RowId(BATCH, ORDERS, "v1", line)
    return FixedRow(Correction("orders", row_id, fields, "f"), Precedence(epoch, 0, line))


def standing(*precedences: Precedence, key: str = ITEMS) -> CurrentRows:
    """Lines of (1, p1) at these precedences, each with the quantity of its position from 1."""
    return CurrentRows(
        [
            PlacedRow(
                CurrentRow(("1", "p1"), BATCH, key, n, n, 1050), Origin(BATCH, key, n), precedence
            )
            for n, precedence in enumerate(precedences, start=1)
        ]
    )


def uploaded(found: Plan) -> list[tuple[str, ...]]:
    """The fields of each planned row, without empty ones at its end."""
    return [tuple(",".join(row.fields).rstrip(",").split(",")) for row in found.rows]


def lines(
    *fixed: FixedRow, stands: CurrentRows | None = None, replays: Replays | None = None
) -> Plan:
    found: Mapping[Any, CurrentRows] = {("1", "p1"): stands} if stands else {}
    return plan("order_items", fixed, found, replays or {})


def orders(*fixed: FixedRow, stands: CurrentRows | None = None) -> Plan:
    return plan("orders", fixed, {("1",): stands} if stands else {}, {})


def test_a_line_of_a_pair_without_others_goes_alone() -> None:
    found = lines(a_line(9, "1", "p1", "4", "2.00"))
    assert uploaded(found) == [("1", "p1", "4", "2.00")]


def test_the_other_lines_of_its_batch_go_along_to_the_cent() -> None:
    found = lines(
        a_line(9, "1", "p1", "4", "2.00"), stands=standing(Precedence(5, 1, 2), Precedence(5, 1, 3))
    )
    assert uploaded(found) == [
        ("1", "p1", "1", "10.50"),
        ("1", "p1", "2", "10.50"),
        ("1", "p1", "4", "2.00"),
    ]
    linked = links([UploadedRow(row, "r.csv", n) for n, row in enumerate(found.rows, start=2)])
    assert [(row.replay_line, row.line) for row in linked.rows] == [(4, 9)]
    assert [(row.replay_line, row.key, row.line) for row in linked.restated] == [
        (2, ITEMS, 1),
        (3, ITEMS, 2),
    ]


def numbered(precedence: Precedence, line_id: str | None, cents: int = 900) -> PlacedRow:
    """A standing line of (1, p1) with a line_id and an amount of its own."""
    row = CurrentRow(("1", "p1"), BATCH, ITEMS, precedence.line, 2, 1050, line_id, cents)
    return PlacedRow(row, Origin(BATCH, ITEMS, precedence.line), precedence)


def test_what_a_line_costs_and_its_id_go_along() -> None:
    stands = CurrentRows([numbered(Precedence(5, 1, 2), "a", 1234)])
    found = lines(a_line(9, "1", "p1", "4", "2.00"), stands=stands)
    assert uploaded(found) == [
        ("1", "p1", "2", "10.50", "a", "12.34"),
        ("1", "p1", "4", "2.00"),
    ]


def test_a_line_with_an_id_goes_beside_the_other_ids_of_its_pair_and_no_later_one_of_its_own() -> (
    None
):
    fixed = a_line(9, "1", "p1", "4", "2.00", "b")
    beside = CurrentRows([numbered(Precedence(5, 1, 2), "a"), numbered(Precedence(7, 1, 2), "c")])
    assert uploaded(lines(fixed, stands=beside)) == [("1", "p1", "4", "2.00", "b")]
    for later in ("b", None):
        outdone = lines(fixed, stands=CurrentRows([numbered(Precedence(7, 1, 2), later)]))
        assert (uploaded(outdone), len(outdone.refused)) == ([], 1)


def test_lines_without_id_of_its_file_go_along_with_a_line_that_has_one() -> None:
    stands = CurrentRows([numbered(Precedence(5, 1, 2), None), numbered(Precedence(3, 1, 2), None)])
    found = lines(a_line(9, "1", "p1", "4", "2.00", "b"), stands=stands)
    assert uploaded(found) == [("1", "p1", "2", "10.50", "", "9.00"), ("1", "p1", "4", "2.00", "b")]


@pytest.mark.parametrize(
    ("other", "goes_along"),
    [
        (Precedence(5, 0, 2), False),
        (Precedence(5, 2, 2), None),
        (Precedence(5, 0, 2, statement=1), True),
    ],
)
def test_a_pair_belongs_to_its_file_or_to_the_parts_of_one_export(
    other: Precedence, goes_along: bool | None
) -> None:
    """None: the other file of the batch is newer, and its lines stand."""
    row = a_line(9, "1", "p1", "4", "2.00")
    fixed = FixedRow(row.correction, Precedence(5, 1, 9, statement=1))
    found = lines(fixed, stands=standing(other))
    assert len(found.rows) == {False: 1, True: 2, None: 0}[goes_along]


def test_a_line_that_is_replayed_again_replaces_its_earlier_correction() -> None:
    stands = standing(Precedence(5, 1, 2), Precedence(5, 1, 9))
    found = lines(a_line(9, "1", "p1", "4", "2.00"), stands=stands)
    assert uploaded(found) == [("1", "p1", "1", "10.50"), ("1", "p1", "4", "2.00")]


def test_lines_of_an_earlier_batch_are_replaced_as_that_batch_would_have_done() -> None:
    found = lines(a_line(9, "1", "p1", "4", "2.00"), stands=standing(Precedence(3, 1, 2)))
    assert uploaded(found) == [("1", "p1", "4", "2.00")]


def test_a_pair_that_a_later_batch_has_restated_is_left_alone() -> None:
    found = lines(a_line(9, "1", "p1", "4", "2.00"), stands=standing(Precedence(7, 1, 2)))
    assert (uploaded(found), len(found.refused)) == ([], 1)
    assert "order_id 1 product_id p1 was stated again" in found.refused[0].reason


def test_of_two_batches_the_later_ones_lines_of_a_pair_stand() -> None:
    earlier, later = a_line(9, "1", "p1", "4", "2.00", epoch=3), a_line(8, "1", "p1", "5", "2.00")
    found = lines(earlier, later)
    assert uploaded(found) == [("1", "p1", "5", "2.00")]
    assert [refusal.row for refusal in found.refused] == [earlier]


def test_ids_are_trimmed_as_the_pipeline_does() -> None:
    found = lines(a_line(9, " 1", "p1\t", "4", "2.00"), stands=standing(Precedence(7, 1, 2)))
    assert len(found.refused) == 1


@pytest.mark.parametrize(
    ("precedence", "is_uploaded"),
    [
        (Precedence(3, 9, 9), True),
        (Precedence(5, 0, 4), True),
        (Precedence(5, 0, 7), True),
        (Precedence(5, 0, 9), False),
        (Precedence(5, 1, 2), False),
        (Precedence(6, 0, 2), False),
    ],
)
def test_an_order_yields_to_a_statement_after_it_and_to_no_other(
    precedence: Precedence, is_uploaded: bool
) -> None:
    found = orders(an_order(7), stands=standing(precedence, key=ORDERS))
    assert bool(found.rows) is is_uploaded
    assert bool(found.refused) is not is_uploaded


def test_two_statements_of_an_order_go_in_the_order_they_were_made() -> None:
    first, second = an_order(3), an_order(7)
    assert [row.stands_for for row in orders(second, first).rows] == [first, second]


def test_a_row_that_counts_as_one_order_cannot_become_another() -> None:
    counted = an_order(7, "2")
    replays = {counted.correction.row_id: Replay(OTHER_BATCH, "COMPLETED", SEALED, ("1",))}
    found = plan("orders", [counted], {}, replays)
    assert "has replayed this row as order_id 1" in found.refused[0].reason
    failed = {counted.correction.row_id: Replay(OTHER_BATCH, "FAILED", SEALED, ("1",))}
    assert plan("orders", [counted], {}, failed).refused == ()


def answered(line: int = 7, identity: str = "1") -> AnsweredRow:
    return AnsweredRow(
        batch_id=BATCH,
        key=ORDERS,
        version_id="v1",
        line=line,
        replay_key="orders/replays/1.csv",
        replay_line=2,
        identity=[identity],
    )


def test_a_row_is_answered_by_its_newest_completed_replay_else_by_the_newest() -> None:
    row = RowId(BATCH, ORDERS, "v1", 7)
    story = [("a", "FAILED"), ("b", "COMPLETED"), ("c", "COMPLETED"), ("d", "REJECTED")]
    for upto, newest in ((1, "a"), (2, "b"), (3, "c"), (4, "c")):
        found = arrange((*each, SEALED, [answered()]) for each in story[:upto])
        assert found[row].batch_id == newest
        assert is_open(row, found) is (newest == "a")
    assert is_open(RowId(BATCH, ORDERS, "v1", 8), found)


class Stored:
    """An event store that knows whole batches."""

    def __init__(self, batches: Mapping[str, list[Any]]) -> None:
        self._batches = batches

    def read_correlated(self, correlation_id: str) -> list[Any]:
        return self._batches.get(correlation_id, [])


def test_a_replayed_row_counts_in_the_place_of_the_one_it_answers() -> None:
    objects = InMemoryObjectStore()
    replay = "orders/replays/1.csv"
    again = RestatedRow(batch_id=BATCH, key=ORDERS, line=5, replay_key=replay, replay_line=3)
    document = ReplayAnswers(rows=[answered()], restated=[again])
    ref = objects.put_json("b", "quarantine/answers/1.json", document.model_dump())
    parts = [
        {"key": key, "index": index, "statement": "manifests/parts.json"}
        for key, index in ((ORDERS, 4), ("orders/b.csv", 6))
    ]
    manifest = objects.put_json("b", "parts.json", {"files": parts}).model_dump()
    alone = objects.put_json("b", "alone.json", {"files": [{"key": replay, "index": 0}]})
    store = Stored(
        {
            BATCH: [
                an_event("BatchSealed", manifest=manifest),
                an_event("FileValidated", key=ORDERS, file_index=4),
                an_event("KpisPublished", epoch=5),
            ],
            OTHER_BATCH: [
                an_event("BatchSealed", answers=ref.model_dump(), manifest=alone.model_dump()),
                an_event("FileValidated", key=replay, file_index=0),
                an_event("KpisPublished", epoch=8),
            ],
        }
    )
    precedences = Precedences(store, objects)
    assert precedences.of(Origin(BATCH, ORDERS, 7)) == Precedence(5, 4, 7, 6)
    assert precedences.of(Origin(OTHER_BATCH, replay, 2)) == Precedence(5, 4, 7, 6)
    assert precedences.of(Origin(OTHER_BATCH, replay, 3)) == Precedence(5, 4, 5, 6)
    assert precedences.of(Origin(OTHER_BATCH, replay, 4)) == Precedence(8, 0, 4)
    assert precedences.of(Origin("unknown", ORDERS, 7)) is None


def no_header(*_: str) -> None:
    """All inputs have the contract's columns."""


def quarantined(line: int, raw: str, rule: str = "order_date.format") -> dict[str, Any]:
    return {"kind": "orders", "raw": raw, "rule": rule, "line": line}


def verdict_on(raw: str, *fields: str, rule: str = "order_date.format") -> Any:
    row_id = RowId(BATCH, ORDERS, "v1", 7)
    corrections = [Correction("orders", row_id, (*fields, ""), "f")]
    return judge(
        corrections, faults_of(corrections, CHECKS), {row_id: quarantined(7, raw, rule)}, no_header
    )[0]


RAW = "1,u1,2025-02-30,1.00,ok"


def test_a_corrected_row_is_fixed_and_says_what_changed() -> None:
    found = verdict_on(RAW, "1", "u1", "2025-02-28", "1.00", "ok")
    assert (found.state, found.changed) == ("fixed", ("order_date",))


def test_a_row_that_is_still_wrong_says_why() -> None:
    found = verdict_on(RAW, "1", "u1", "2025-02-29", "1.00", "ok")
    assert (found.state, found.changed) == ("wrong", ("order_date",))
    assert found.message.startswith("order_date '2025-02-29' is not a date")


def test_an_untouched_row_is_unchanged() -> None:
    assert verdict_on(RAW, *RAW.split(",")).state == "unchanged"


def test_a_row_that_has_become_right_by_itself_is_fixed() -> None:
    raw = "1,u1,2025-02-28,1.00,ok"
    assert verdict_on(raw, *raw.split(","), rule="order_date.maximum").state == "fixed"


def test_a_broken_record_that_nobody_touched_is_not_taken_for_right() -> None:
    raw = '1,"u1,2025-02-28,1.00,ok'
    untouched = verdict_on(raw, *raw.split(","), rule="record.quote")
    assert untouched.state == "unchanged"
    assert verdict_on(raw, "1", "u1", *raw.split(",")[2:], rule="record.quote").state == "fixed"


def test_a_record_that_could_not_be_split_says_so_while_nobody_has_filled_it_in() -> None:
    found = verdict_on("1,u1,2025-07-01", *[""] * 5, rule="record.fields")
    assert (found.state, found.changed) == ("unchanged", ())
    assert "could not be split" in found.message


def test_a_row_that_is_not_in_quarantine_is_refused() -> None:
    row_id = RowId(BATCH, ORDERS, "v1", 8)
    right = Correction("orders", row_id, ("1", "u1", "2025-02-28", "1.00", "ok"), "f")
    [found] = judge([right], faults_of([right], CHECKS), {}, no_header)
    assert (found.state, "no such row" in str(found.message)) == ("refused", True)


def test_an_empty_row_is_still_wrong() -> None:
    assert verdict_on(RAW, "", "", "", "", "").state == "wrong"


def test_faults_are_told_of_the_right_row_beside_rows_of_several_lines() -> None:
    fields = {
        2: ("p1", "Books", "two\nlines", "1.00"),
        3: ("p2", "Books", "one", "wrong"),
        4: ("p3", "Books", "x\r\ny", "1.00"),
        5: ("p4", "", "one", "1.00"),
    }
    ids = {line: RowId(BATCH, "products/a.csv", "v1", line) for line in fields}
    corrections = [Correction("products", ids[n], each, "f") for n, each in fields.items()]
    rows: Any = {
        each: quarantined(each.line, "", "x.y") | {"kind": "products"} for each in ids.values()
    }
    found = judge(corrections, faults_of(corrections, CHECKS), rows, no_header)
    assert [each.state for each in found] == ["fixed", "wrong", "fixed", "wrong"]
    assert "price 'wrong'" in str(found[1].message)


def test_rows_know_the_line_they_start_on(tmp_path: Path) -> None:
    rows = [("p1", "B", "a\nb", "1"), ("p2", "B", "c\r\nd", "1"), ("p3", "B", "e", "1")]
    path = tmp_path / "products.csv"
    assert write_rows(path, "products", rows) == [2, 4, 6]
    assert path.read_bytes().decode().splitlines()[5] == "p3,B,e,1"
