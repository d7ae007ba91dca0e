"""Validating a file as the saga sees it: staged, quarantined, told, and never half done."""

import hmac
import io
import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.envelope import Message
from contracts.errors import ContractViolation, PipelineError, Refused, StaleWriter, Transient
from contracts.layout import FILE_GONE
from contracts.messages import FileRejected, FileValidated, ObjectRef
from services.runtime.privacy.pseudonyms import check_of
from services.transformer.facts.tables import STAGED_COLUMNS
from services.validator import use_cases
from services.validator.domain import FileHistory
from services.validator.quarantine.rows import ROW_FIELDS, rows_of
from services.validator.row_files import QUARANTINE_SCHEMA, RowFile
from tests.support.shop import a_product, an_item, an_order, items_csv, orders_csv, products_csv
from tests.unit.validator.desk import BATCH, BUCKET, KEY, Desk

STAGED = f"processing/{BATCH}/orders/0000.parquet"
BAD_ROWS = f"quarantine/{BATCH}/rows/0000.parquet"
KEPT_FILE = f"quarantine/{BATCH}/files/orders/a.csv"


def a_desk(*rows: str, **settings: Any) -> Desk:
    desk = Desk(**settings)
    desk.upload("orders/a.csv", orders_csv(*rows))
    return desk


def healthy(count: int) -> list[str]:
    return [an_order(order_id=str(number)) for number in range(1, count + 1)]


def test_good_rows_are_staged_with_their_lines_and_bad_ones_quarantined_with_the_reason() -> None:
    desk = a_desk(*healthy(9), an_order(order_id="10", order_date="2025-02-30"))
    assert desk.validate() == {"outcome": "VALIDATED", "file_index": 0}
    staged = desk.bucket.rows(STAGED)
    assert [(row["order_id"], row["source_line"]) for row in staged] == [
        (str(number), number + 1) for number in range(1, 10)
    ]
    assert desk.bucket.rows(BAD_ROWS) == [
        {
            "batch_id": BATCH,
            "key": "orders/a.csv",
            "version_id": "v1",
            "kind": "orders",
            "line": 11,
            "column": "order_date",
            "rule": "order_date.format",
            "message": "orders/a.csv line 11: order_date '2025-02-30' is not a date "
            "(rule order_date.format, orders v2)",
            "raw": "10,u1,2025-02-30,10.00,completed",
            "contract": "orders v2",
        }
    ]


def test_the_report_adds_up_and_pins_what_was_written() -> None:
    desk = a_desk(*healthy(9), an_order(total_amount="-1"))
    desk.validate()
    report = desk.report()
    assert (report["status"], report["rows_in"], report["accepted"], report["quarantined"]) == (
        "accepted",
        10,
        9,
        1,
    )
    for name, key in (("staged", STAGED), ("quarantined_rows", BAD_ROWS)):
        ref = ObjectRef(**report[name])
        assert ref.key == key
        assert desk.bucket.versions[(ref.key, ref.version_id)] == desk.bucket.standing[key]
    [event] = desk.events()
    assert isinstance(event, FileValidated)
    assert desk.bucket.get_json(event.report) == report
    assert (event.rows_in, event.accepted, event.quarantined, event.fence) == (10, 9, 1, 7)


def test_a_file_that_repeats_itself_is_told_in_full_by_its_report_and_its_event() -> None:
    rows = (
        an_order("1", "N/A"),
        an_order("1", "N/A"),
        an_order("2", total_amount="1.00"),
        an_order("2", total_amount="2.00"),
        an_order("3"),
    )
    desk = Desk(max_rejected_fraction=0.5)
    header = "order_id,user_id,order_date,total_amount,status,currency"
    desk.upload("orders/a.csv", "\n".join([header, *(f"{row},EUR" for row in rows), ""]))
    assert desk.validate()["outcome"] == "VALIDATED"
    assert [row["source_line"] for row in desk.bucket.rows(STAGED)] == [3, 5, 6]
    assert [row["line"] for row in desk.bucket.rows(BAD_ROWS)] == [4]
    told = {"rows_in": 5, "accepted": 3, "quarantined": 1, "duplicates": 1, "guests": 1}
    assert {name: desk.report()[name] for name in told} == told
    assert desk.report()["currency"] == "EUR"
    [event] = desk.events()
    assert {name: getattr(event, name) for name in told} == told


@pytest.mark.parametrize(
    ("delimiter", "spare"), [(",", 0), (";", 2)], ids=["plain", "semicolons and spare columns"]
)
def test_the_footer_of_bad_rows_says_how_their_text_is_read_again(
    delimiter: str, spare: int
) -> None:
    text = orders_csv(*healthy(9), an_order("10", status="")).replace(",", delimiter)
    desk = Desk()
    desk.upload("orders/a.csv", text.replace("\n", delimiter * spare + "\n"))
    assert desk.validate()["outcome"] == "VALIDATED"
    footer = pq.read_metadata(io.BytesIO(desk.bucket.standing[BAD_ROWS])).metadata
    names = ["order_id", "user_id", "order_date", "total_amount", "status"]
    assert json.loads(footer[b"columns"]) == names
    assert (footer[b"delimiter"], footer[b"spare"]) == (delimiter.encode(), b"%d" % spare)


def test_the_event_names_the_command_that_it_comes_of() -> None:
    desk = a_desk(*healthy(3))
    command = desk.command(0, 7)
    use_cases.validate_file(command, desk.ports())
    [recorded] = desk.store.read(f"validation/{BATCH}/0")
    assert (recorded.source, recorded.correlation_id) == ("ecommerce-pipeline/validator", BATCH)
    assert recorded.causation_id == command.event_id


def test_a_report_that_breaks_its_contract_is_written_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = a_desk(*healthy(3))
    honest = use_cases.report_of

    def broken(*given: Any) -> Any:
        return honest(*given).model_copy(update={"rows_in": -1})

    monkeypatch.setattr(use_cases, "report_of", broken)
    with pytest.raises(ContractViolation, match="rows_in"):
        desk.validate()
    assert desk.bucket.keys(f"processing/{BATCH}/reports/") == []
    assert desk.events() == []


STAGED_NAMES = {
    "orders": ["order_id", "user_id", "order_date", "total_amount_cents", "status", "source_line"],
    "order_items": [
        "order_id", "product_id", "quantity", "unit_price_cents", "line_id", "line_amount_cents",
        "source_line",
    ],
    "products": ["product_id", "category", "name", "price_cents", "source_line"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("orders/a.csv", orders_csv(an_order())),
        ("order_items/a.csv", items_csv(an_item())),
        ("products/a.csv", products_csv(a_product())),
    ],
)
def test_staged_columns_are_those_that_the_transformer_reads(key: str, text: str) -> None:
    kind = key.partition("/")[0]
    desk = Desk()
    desk.upload(key, text)
    desk.validate()
    content = desk.bucket.standing[f"processing/{BATCH}/{kind}/0000.parquet"]
    staged = pq.read_schema(io.BytesIO(content))
    assert staged.names == STAGED_NAMES[kind]
    for wanted in STAGED_COLUMNS[kind]:
        assert staged.field(wanted.name).type == wanted.type
    assert pq.read_metadata(io.BytesIO(content)).row_group(0).column(0).compression == "ZSTD"


def test_quarantined_rows_have_the_columns_that_people_are_shown() -> None:
    assert tuple(QUARANTINE_SCHEMA.names) == ROW_FIELDS
    desk = a_desk(*healthy(9), an_order(status=""))
    desk.validate()
    [row] = rows_of(desk.bucket.standing[BAD_ROWS])
    assert row["rule"] == "status.required"


def test_a_user_has_one_pseudonym_everywhere_and_the_raw_id_is_nowhere_staged() -> None:
    desk = a_desk(an_order("1", "ada@x"), an_order("2", "bob@x"), an_order("3", "ada@x"))
    desk.settings["block_bytes"] = 10
    desk.validate()
    users = [row["user_id"] for row in desk.bucket.rows(STAGED)]
    expected = hmac.digest(KEY, b"ada@x", "sha256").hex()
    assert users == [expected, hmac.digest(KEY, b"bob@x", "sha256").hex(), expected]
    assert b"ada@x" not in desk.bucket.standing[STAGED]


def test_a_quarantined_row_keeps_the_raw_id_so_that_it_can_be_corrected() -> None:
    desk = a_desk(*healthy(9), an_order(user_id="ada@x", total_amount="?"))
    desk.validate()
    assert "ada@x" in desk.bucket.rows(BAD_ROWS)[0]["raw"]


def test_a_rejected_file_is_kept_byte_for_byte_and_nothing_of_it_is_staged() -> None:
    desk = Desk()
    desk.upload("orders/a.csv", "id;user\r\n1;2\r\n")
    assert desk.validate() == {"outcome": "REJECTED", "file_index": 0}
    assert desk.bucket.standing[KEPT_FILE] == b"id;user\r\n1;2\r\n"
    assert desk.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert desk.bucket.keys(f"quarantine/{BATCH}/rows/") == []
    [event] = desk.events()
    assert isinstance(event, FileRejected)
    assert event.rule == "file.header"
    report = desk.report()
    assert (report["status"], report["staged"], report["rows_in"]) == ("rejected", None, 0)
    assert report["quarantined_file"]["key"] == KEPT_FILE


def test_too_many_bad_rows_reject_the_file_and_say_which_rows() -> None:
    desk = a_desk(*healthy(7), *[an_order(quantity) for quantity in ("", "", "")])
    assert desk.validate()["outcome"] == "REJECTED"
    assert [row["line"] for row in desk.bucket.rows(BAD_ROWS)] == [9, 10, 11]
    assert KEPT_FILE in desk.bucket.standing
    assert STAGED not in desk.bucket.standing
    report = desk.report()
    assert (report["rows_in"], report["accepted"], report["quarantined"]) == (10, 0, 10)
    assert report["rule"] == "file.too_many_bad_rows"


def test_a_header_in_another_order_further_down_rejects_the_file() -> None:
    """The rows below it would be read with their columns exchanged."""
    swapped = "user_id,order_id,order_date,total_amount,status"
    desk = a_desk(*healthy(9), swapped, "u9,o9,2025-07-01,10.00,completed")
    desk.validate()
    [rejected] = desk.events()
    assert isinstance(rejected, FileRejected)
    assert rejected.rule == "file.header"
    assert "line 11 is a header again, with the columns in another order" in rejected.reason
    assert STAGED not in desk.bucket.standing


def test_a_file_that_turns_bad_late_leaves_no_rows_behind() -> None:
    desk = Desk(block_bytes=40)
    text = orders_csv(*healthy(50), an_order(status=""), *healthy(50)).encode()
    desk.upload("orders/a.csv", text + b"1,u,2025-07-07,1,\xe9t\xe9\n")
    desk.validate()
    assert desk.report()["rule"] == "file.encoding"
    assert STAGED not in desk.bucket.standing
    assert BAD_ROWS not in desk.bucket.standing


def test_a_file_whose_rows_are_all_bad_may_be_accepted_and_stages_nothing() -> None:
    desk = a_desk(an_order(status=""), max_rejected_fraction=1.0)
    assert desk.validate()["outcome"] == "VALIDATED"
    assert desk.report()["staged"] is None
    assert desk.report()["quarantined"] == 1


def test_a_repeated_file_needs_no_work_and_has_no_report() -> None:
    desk = a_desk(an_order())
    copy = desk.upload("orders/b.csv", orders_csv(an_order()), duplicate_of=0)
    assert desk.validate(copy) == {"outcome": "VALIDATED", "file_index": 1}
    assert desk.events(copy) == []
    assert desk.bucket.keys("processing/") == [f"processing/{BATCH}/manifest.json"]


@pytest.mark.parametrize("refused", [STAGED, "/reports/"])
def test_a_failed_upload_fails_the_command_and_records_nothing(refused: str) -> None:
    desk = a_desk(*healthy(3))
    desk.bucket.refused_keys = (refused,)
    with pytest.raises(Transient):
        desk.validate()
    assert desk.events() == []
    desk.bucket.refused_keys = ()
    assert desk.validate()["outcome"] == "VALIDATED"
    assert len(desk.bucket.rows(STAGED)) == 3


def test_a_crash_before_the_end_of_the_file_leaves_nothing_visible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = a_desk(*healthy(100), block_bytes=100)
    written: list[Any] = []

    def write_once(_file: RowFile, table: Any) -> None:
        if written:
            raise MemoryError("killed")
        written.append(table)

    monkeypatch.setattr(RowFile, "write", write_once)
    with pytest.raises(MemoryError):
        desk.validate()
    assert written
    assert desk.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert desk.bucket.keys("quarantine/") == []
    assert desk.events() == []


def test_a_dropped_connection_is_no_bad_file_and_the_next_attempt_succeeds() -> None:
    desk = a_desk(*healthy(100), block_bytes=100)
    desk.bucket.drops_after = 300
    with pytest.raises(Transient):
        desk.validate()
    assert desk.events() == []
    assert desk.bucket.keys("quarantine/") == []
    assert desk.bucket.keys(f"processing/{BATCH}/orders/") == []
    desk.bucket.drops_after = None
    assert desk.validate()["outcome"] == "VALIDATED"
    assert desk.report()["accepted"] == 100


def test_rows_that_were_lost_on_the_way_fail_the_command_loudly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = a_desk(*healthy(5))
    write = RowFile.write
    monkeypatch.setattr(RowFile, "write", lambda file, table: write(file, table.slice(1)))
    with pytest.raises(PipelineError, match=r"orders/a\.csv does not add up: 5 rows in.*4 rows"):
        desk.validate()
    assert STAGED not in desk.bucket.standing
    assert desk.events() == []


def test_lost_quarantine_rows_fail_a_file_with_too_many_bad_rows_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = a_desk(*[an_order(status="")] * 5)
    table = use_cases.quarantine_table
    monkeypatch.setattr(use_cases, "quarantine_table", lambda *given: table(*given).slice(1))
    with pytest.raises(PipelineError, match="does not add up"):
        desk.validate()


def test_a_command_that_comes_again_is_answered_from_the_stream() -> None:
    desk = a_desk(*healthy(3))
    first = desk.validate()
    standing = dict(desk.bucket.standing)
    assert desk.validate() == first
    assert desk.bucket.opened == 1
    assert desk.bucket.standing.keys() == standing.keys()
    assert desk.bucket.standing[STAGED] is standing[STAGED]
    assert len(desk.events()) == 1
    assert len([key for key, _ in desk.bucket.versions if "/reports/" in key]) == 1


def test_a_rejection_that_comes_again_is_still_a_rejection() -> None:
    desk = Desk()
    desk.upload("orders/a.csv", "")
    assert desk.validate() == desk.validate() == {"outcome": "REJECTED", "file_index": 0}
    assert desk.bucket.opened == 1


def test_a_redrive_under_a_newer_fence_validates_again() -> None:
    desk = a_desk(*healthy(3))
    desk.validate(fence=7)
    desk.validate(fence=9)
    assert desk.bucket.opened == 2
    assert [event.fence for event in desk.events()] == [7, 9]


def test_a_stale_command_is_refused() -> None:
    desk = a_desk(*healthy(3))
    desk.validate(fence=9)
    with pytest.raises(StaleWriter, match="fence 9; 7 is stale"):
        desk.validate(fence=7)
    assert [event.fence for event in desk.events()] == [9]


def test_a_conclusion_under_a_fence_that_no_grant_can_have_keeps_nobody_away() -> None:
    desk = a_desk(*healthy(3))
    desk.validate(fence=1_000_000_000)
    assert desk.validate(fence=9)["outcome"] == "VALIDATED"
    assert desk.validate(fence=11)["outcome"] == "VALIDATED"
    assert [event.fence for event in desk.events()] == [1_000_000_000, 9, 11]


def test_such_a_fence_is_refused_where_a_conclusion_stands() -> None:
    desk = a_desk(*healthy(3))
    desk.validate(fence=9)
    with pytest.raises(Refused, match="never granted fence 1000000000"):
        desk.validate(fence=1_000_000_000)
    assert [event.fence for event in desk.events()] == [9]


def test_a_stale_command_names_the_fence_that_was_seen() -> None:
    desk = a_desk(*healthy(3))
    desk.validate(fence=9)
    with pytest.raises(StaleWriter) as stale:
        desk.validate(fence=7)
    assert stale.value.seen_fence == 9


def test_a_writer_that_became_stale_while_it_read_leaves_the_newer_result_alone() -> None:
    desk = a_desk(*healthy(3))
    newer = Desk.validate
    opened = desk.bucket.open

    def slow(bucket: str, file: Any) -> Any:
        desk.bucket.open = opened  # type: ignore[method-assign]
        newer(desk, fence=9)
        return opened(bucket, file)

    desk.bucket.open = slow  # type: ignore[method-assign]
    with pytest.raises(StaleWriter):
        desk.validate(fence=7)
    assert [event.fence for event in desk.events()] == [9]


def test_a_second_delivery_at_the_same_time_gets_the_first_ones_answer() -> None:
    desk = a_desk(*healthy(3))
    opened = desk.bucket.open

    def slow(bucket: str, file: Any) -> Any:
        desk.bucket.open = opened  # type: ignore[method-assign]
        Desk.validate(desk)
        return opened(bucket, file)

    desk.bucket.open = slow  # type: ignore[method-assign]
    assert desk.validate()["outcome"] == "VALIDATED"
    assert len(desk.events()) == 1


def test_a_redrive_that_ends_otherwise_removes_what_no_longer_holds() -> None:
    desk = a_desk(*healthy(1), an_order("2", order_date="2025-07-10"))
    assert desk.validate(fence=7)["outcome"] == "REJECTED"
    assert {KEPT_FILE, BAD_ROWS} <= desk.bucket.standing.keys()
    desk.now += timedelta(days=1)
    assert desk.validate(fence=9)["outcome"] == "VALIDATED"
    assert desk.bucket.keys("quarantine/") == []
    desk.now -= timedelta(days=1)
    assert desk.validate(fence=11)["outcome"] == "REJECTED"
    assert STAGED not in desk.bucket.standing


def test_tomorrow_is_counted_in_utc() -> None:
    desk = a_desk(an_order(order_date="2025-07-09"))
    assert desk.validate()["outcome"] == "VALIDATED"


@pytest.fixture
def in_japan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where it is morning of the next day already."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_japan")
def test_tomorrow_is_counted_in_utc_wherever_the_machine_stands() -> None:
    desk = a_desk(an_order(order_date="2025-07-10"))
    assert desk.validate()["outcome"] == "REJECTED"
    assert desk.bucket.rows(BAD_ROWS)[0]["rule"] == "order_date.maximum"


def test_a_file_is_held_against_the_currency_of_the_pipeline() -> None:
    desk = Desk(currency="JPY")
    header = "order_id,user_id,order_date,total_amount,status,currency"
    desk.upload("orders/a.csv", f"{header}\n{an_order()},EUR\n")
    assert desk.validate()["outcome"] == "REJECTED"
    assert desk.bucket.rows(BAD_ROWS)[0]["rule"] == "currency.other"


def with_manifest(desk: Desk, **changed: Any) -> Message:
    """The command for the first file, by a manifest that says this as well."""
    command = desk.command(0, 7)
    ref = command.data.manifest
    manifest = desk.bucket.put_json(BUCKET, ref.key, desk.bucket.get_json(ref) | changed)
    return replace(command, data=command.data.model_copy(update={"manifest": manifest}))


def test_a_manifest_that_breaks_its_contract_is_refused_and_nothing_of_it_is_read() -> None:
    desk = a_desk(*healthy(3))
    with pytest.raises(ContractViolation, match="trigger"):
        use_cases.validate_file(with_manifest(desk, trigger="MOON"), desk.ports())
    assert desk.bucket.opened == 0


def test_a_manifest_may_say_more_than_was_known_here() -> None:
    desk = a_desk(*healthy(3))
    told = use_cases.validate_file(with_manifest(desk, said_by_a_newer_one=1), desk.ports())
    assert told["outcome"] == "VALIDATED"


def test_an_event_of_another_kind_in_the_stream_is_a_fault() -> None:
    desk = a_desk(*healthy(3))
    with pytest.raises(TypeError, match="ValidateFile is no event of this stream"):
        FileHistory.replay([desk.command(0, 7)])


def test_a_file_that_the_manifest_does_not_have_is_a_broken_command() -> None:
    desk = a_desk(an_order())
    with pytest.raises(ContractViolation, match="none with index 3"):
        desk.validate(3)


def test_the_manifest_of_another_batch_is_a_broken_command() -> None:
    desk = a_desk(an_order())
    with pytest.raises(ContractViolation, match=f"batch {BATCH}, not of 0000000000000001"):
        desk.validate(batch_id="0000000000000001")


def test_the_report_says_which_keys_made_the_staged_pseudonyms() -> None:
    """The keys are asked for anew for each file of orders: a rotation holds from the next on."""
    desk = Desk()
    first = orders_csv(an_order("1", "ann"))
    indexes = [desk.upload(f"orders/{name}.csv", first) for name in "ab"]
    products = desk.upload("products/c.csv", products_csv(a_product()))
    bad = desk.upload("orders/d.csv", "no,header\n")
    desk.validate(indexes[0])
    desk.keys = (*desk.keys, b"another key")
    for index in (indexes[1], products, bad):
        desk.validate(index)

    [one, other] = [desk.report(index)["pseudonym_check"] for index in indexes]
    assert one == check_of(desk.keys[:1])
    assert other == check_of(desk.keys)
    assert desk.report(products)["pseudonym_check"] is None
    assert desk.report(bad)["pseudonym_check"] is None
    for index, keys in zip(indexes, (desk.keys[:1], desk.keys), strict=True):
        [row] = desk.bucket.rows(desk.report(index)["staged"]["key"])
        pseudonym = "ann"
        for key in keys:
            pseudonym = hmac.new(key, pseudonym.encode(), "sha256").hexdigest()
        assert row["user_id"] == pseudonym


def test_a_version_that_somebody_deleted_is_rejected_as_gone_and_nothing_of_it_stands() -> None:
    desk = a_desk(*healthy(9))
    desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
    for fence in (7, 8):
        assert desk.validate(fence=fence) == {"outcome": "REJECTED", "file_index": 0}
    report = json.loads(desk.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert (report["status"], report["rule"]) == ("rejected", FILE_GONE)
    assert (report["rows_in"], report["staged"], report["quarantined_file"]) == (0, None, None)
    assert "orders/a.csv" in report["reason"]
    assert desk.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert desk.bucket.keys("quarantine/") == []


def test_what_was_read_stands_when_its_batch_is_run_again_after_it_was_archived() -> None:
    """Also what is in quarantine of it: the batch may be published, and is told of as it is."""
    desk = a_desk(*healthy(9), "10,u1,2025-13-01,1.00,completed")
    assert desk.validate(fence=7)["outcome"] == "VALIDATED"
    standing = dict(desk.bucket.standing)
    desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
    redriven = desk.command(0, 8)
    redriven = replace(redriven, data=redriven.data.model_copy(update={"attempt": 1}))
    for _ in range(2):
        told = use_cases.validate_file(redriven, desk.ports())
        assert told == {"outcome": "VALIDATED", "file_index": 0}
    assert desk.bucket.keys("quarantine/") != []
    assert {key: standing[key] for key in desk.bucket.keys("")} == standing
    first, again = (message.data for message in desk.store.read(f"validation/{BATCH}/0"))
    assert (again.fence, again.attempt) == (8, 1)
    assert again == first.model_copy(update={"fence": 8, "attempt": 1})


def test_what_a_twin_read_under_the_same_grant_stands_when_the_file_is_gone_for_the_other() -> None:
    desk = a_desk(*healthy(9))
    opened = desk.bucket.open

    def twin_first(bucket: str, file: Any) -> Any:
        desk.bucket.open = opened  # type: ignore[method-assign]
        assert desk.validate(fence=7)["outcome"] == "VALIDATED"
        desk.bucket.delete(file.key, file.version_id)
        return opened(bucket, file)

    desk.bucket.open = twin_first  # type: ignore[method-assign]
    assert desk.validate(fence=7)["outcome"] == "VALIDATED"
    [concluded] = desk.events()
    assert desk.report() == desk.bucket.get_json(concluded.report)
    assert desk.bucket.keys(f"processing/{BATCH}/orders/") != []


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ((*healthy(9), "10,u1,2025-13-01,1.00,completed"), (f"processing/{BATCH}/", "quarantine/")),
        (("1,u1,2025-13-01,1.00,completed",), ("quarantine/", "quarantine/")),
    ],
    ids=["accepted", "rejected"],
)
def test_a_file_that_is_gone_leaves_nothing_of_an_attempt_that_died_before_its_report(
    rows: tuple[str, ...], left: tuple[str, str]
) -> None:
    desk = a_desk(*rows)
    before = set(desk.bucket.standing)
    desk.bucket.refused_keys = ("/reports/",)
    with pytest.raises(Transient):
        desk.validate(fence=7)
    desk.bucket.refused_keys = ()
    manifest = f"processing/{BATCH}/manifest.json"
    rest = sorted(set(desk.bucket.standing) - before - {manifest})
    assert len(rest) == 2
    assert all(key.startswith(prefix) for key, prefix in zip(rest, left, strict=True))
    desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
    assert desk.validate(fence=7)["outcome"] == "REJECTED"
    reports = set(desk.bucket.keys(f"processing/{BATCH}/reports/"))
    assert set(desk.bucket.standing) == before | {manifest} | reports


def test_a_file_that_was_bad_before_and_is_gone_now_is_gone() -> None:
    desk = a_desk("1,u1,2025-13-01,1.00,completed")
    assert desk.validate(fence=7)["outcome"] == "REJECTED"
    desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
    assert desk.validate(fence=8)["outcome"] == "REJECTED"
    report = json.loads(desk.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert report["rule"] == FILE_GONE


def test_a_bad_file_that_is_deleted_before_it_is_kept_is_gone() -> None:
    desk = Desk()
    desk.upload("orders/a.csv", "nothing")
    copy = desk.bucket.copy

    def deleted_first(bucket: str, file: Any, key: str) -> Any:
        desk.bucket.delete(file.key, file.version_id)
        return copy(bucket, file, key)

    desk.bucket.copy = deleted_first  # type: ignore[method-assign]
    assert desk.validate()["outcome"] == "REJECTED"
    report = json.loads(desk.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert report["rule"] == FILE_GONE


@pytest.mark.parametrize("fence", [7, 8])
def test_the_newest_report_is_the_one_of_the_conclusion_that_stands(fence: int) -> None:
    """One attempt sleeps, its report in hand; meanwhile the file is deleted and told as gone."""
    desk = a_desk(*healthy(9))
    put = desk.bucket.put_json

    def overtaken_first(bucket: str, key: str, document: Any) -> Any:
        if "/reports/" in key:
            desk.bucket.put_json = put  # type: ignore[method-assign]
            desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
            assert desk.validate(fence=fence)["outcome"] == "REJECTED"
        return put(bucket, key, document)

    desk.bucket.put_json = overtaken_first  # type: ignore[method-assign]
    with nullcontext() if fence == 7 else pytest.raises(StaleWriter):
        assert desk.validate(fence=7)["outcome"] == "REJECTED"
    [concluded] = desk.events()
    assert concluded.rule == FILE_GONE
    assert desk.report() == desk.bucket.get_json(concluded.report)


def test_who_died_with_its_own_report_on_top_puts_the_standing_one_back_when_it_comes_again() -> (
    None
):
    desk = a_desk(*healthy(9))
    desk.validate()
    [concluded] = desk.events()
    desk.bucket.put_json(BUCKET, concluded.report.key, {"of": "an attempt that died"})
    late = desk.command(0, 7)
    late = replace(late, data=late.data.model_copy(update={"attempt": 1}))
    assert use_cases.validate_file(late, desk.ports())["outcome"] == "VALIDATED"
    assert desk.report() == desk.bucket.get_json(concluded.report)
