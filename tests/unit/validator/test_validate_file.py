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
from tests.unit.validator.harness import BATCH, BUCKET, KEY, ValidatorHarness

STAGED = f"processing/{BATCH}/orders/0000.parquet"
BAD_ROWS = f"quarantine/{BATCH}/rows/0000.parquet"
KEPT_FILE = f"quarantine/{BATCH}/files/orders/a.csv"


def a_harness(*rows: str, **settings: Any) -> ValidatorHarness:
    harness = ValidatorHarness(**settings)
    harness.upload("orders/a.csv", orders_csv(*rows))
    return harness


def healthy(count: int) -> list[str]:
    return [an_order(order_id=str(number)) for number in range(1, count + 1)]


def test_good_rows_are_staged_with_their_lines_and_bad_ones_quarantined_with_the_reason() -> None:
    harness = a_harness(*healthy(9), an_order(order_id="10", order_date="2025-02-30"))
    assert harness.validate() == {"outcome": "VALIDATED", "file_index": 0}
    staged = harness.bucket.rows(STAGED)
    assert [(row["order_id"], row["source_line"]) for row in staged] == [
        (str(number), number + 1) for number in range(1, 10)
    ]
    assert harness.bucket.rows(BAD_ROWS) == [
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
    harness = a_harness(*healthy(9), an_order(total_amount="-1"))
    harness.validate()
    report = harness.report()
    assert (report["status"], report["rows_in"], report["accepted"], report["quarantined"]) == (
        "accepted",
        10,
        9,
        1,
    )
    for name, key in (("staged", STAGED), ("quarantined_rows", BAD_ROWS)):
        ref = ObjectRef(**report[name])
        assert ref.key == key
        assert harness.bucket.versions[(ref.key, ref.version_id)] == harness.bucket.standing[key]
    [event] = harness.events()
    assert isinstance(event, FileValidated)
    assert harness.bucket.get_json(event.report) == report
    assert (event.rows_in, event.accepted, event.quarantined, event.fence) == (10, 9, 1, 7)


def test_a_file_that_repeats_itself_is_told_in_full_by_its_report_and_its_event() -> None:
    rows = (
        an_order("1", "N/A"),
        an_order("1", "N/A"),
        an_order("2", total_amount="1.00"),
        an_order("2", total_amount="2.00"),
        an_order("3"),
    )
    harness = ValidatorHarness(max_rejected_fraction=0.5)
    header = "order_id,user_id,order_date,total_amount,status,currency"
    harness.upload("orders/a.csv", "\n".join([header, *(f"{row},EUR" for row in rows), ""]))
    assert harness.validate()["outcome"] == "VALIDATED"
    assert [row["source_line"] for row in harness.bucket.rows(STAGED)] == [3, 5, 6]
    assert [row["line"] for row in harness.bucket.rows(BAD_ROWS)] == [4]
    told = {"rows_in": 5, "accepted": 3, "quarantined": 1, "duplicates": 1, "guests": 1}
    assert {name: harness.report()[name] for name in told} == told
    assert harness.report()["currency"] == "EUR"
    [event] = harness.events()
    assert {name: getattr(event, name) for name in told} == told


@pytest.mark.parametrize(
    ("delimiter", "spare"), [(",", 0), (";", 2)], ids=["plain", "semicolons and spare columns"]
)
def test_the_footer_of_bad_rows_says_how_their_text_is_read_again(
    delimiter: str, spare: int
) -> None:
    text = orders_csv(*healthy(9), an_order("10", status="")).replace(",", delimiter)
    harness = ValidatorHarness()
    harness.upload("orders/a.csv", text.replace("\n", delimiter * spare + "\n"))
    assert harness.validate()["outcome"] == "VALIDATED"
    footer = pq.read_metadata(io.BytesIO(harness.bucket.standing[BAD_ROWS])).metadata
    names = ["order_id", "user_id", "order_date", "total_amount", "status"]
    assert json.loads(footer[b"columns"]) == names
    assert (footer[b"delimiter"], footer[b"spare"]) == (delimiter.encode(), b"%d" % spare)


def test_the_event_names_the_command_that_it_comes_of() -> None:
    harness = a_harness(*healthy(3))
    command = harness.command(0, 7)
    use_cases.validate_file(command, harness.ports())
    [recorded] = harness.store.read(f"validation/{BATCH}/0")
    assert (recorded.source, recorded.correlation_id) == ("ecommerce-pipeline/validator", BATCH)
    assert recorded.causation_id == command.event_id


def test_a_report_that_breaks_its_contract_is_written_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = a_harness(*healthy(3))
    honest = use_cases.report_of

    def broken(*given: Any) -> Any:
        return honest(*given).model_copy(update={"rows_in": -1})

    monkeypatch.setattr(use_cases, "report_of", broken)
    with pytest.raises(ContractViolation, match="rows_in"):
        harness.validate()
    assert harness.bucket.keys(f"processing/{BATCH}/reports/") == []
    assert harness.events() == []


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
    harness = ValidatorHarness()
    harness.upload(key, text)
    harness.validate()
    content = harness.bucket.standing[f"processing/{BATCH}/{kind}/0000.parquet"]
    staged = pq.read_schema(io.BytesIO(content))
    assert staged.names == STAGED_NAMES[kind]
    of_a_source = {"total_from_lines", "total_extra_cents", "added_to_total_cents"}
    for wanted in STAGED_COLUMNS[kind]:
        if wanted.name in of_a_source:
            continue
        assert staged.field(wanted.name).type == wanted.type
    assert pq.read_metadata(io.BytesIO(content)).row_group(0).column(0).compression == "ZSTD"


def test_quarantined_rows_have_the_columns_that_people_are_shown() -> None:
    assert tuple(QUARANTINE_SCHEMA.names) == ROW_FIELDS
    harness = a_harness(*healthy(9), an_order(status=""))
    harness.validate()
    [row] = rows_of(harness.bucket.standing[BAD_ROWS])
    assert row["rule"] == "status.required"


def test_a_user_has_one_pseudonym_everywhere_and_the_raw_id_is_nowhere_staged() -> None:
    harness = a_harness(an_order("1", "ada@x"), an_order("2", "bob@x"), an_order("3", "ada@x"))
    harness.settings["block_bytes"] = 10
    harness.validate()
    users = [row["user_id"] for row in harness.bucket.rows(STAGED)]
    expected = hmac.digest(KEY, b"ada@x", "sha256").hex()
    assert users == [expected, hmac.digest(KEY, b"bob@x", "sha256").hex(), expected]
    assert b"ada@x" not in harness.bucket.standing[STAGED]


def test_a_quarantined_row_keeps_the_raw_id_so_that_it_can_be_corrected() -> None:
    harness = a_harness(*healthy(9), an_order(user_id="ada@x", total_amount="?"))
    harness.validate()
    assert "ada@x" in harness.bucket.rows(BAD_ROWS)[0]["raw"]


def test_a_rejected_file_is_kept_byte_for_byte_and_nothing_of_it_is_staged() -> None:
    harness = ValidatorHarness()
    harness.upload("orders/a.csv", "id;user\r\n1;2\r\n")
    assert harness.validate() == {"outcome": "REJECTED", "file_index": 0}
    assert harness.bucket.standing[KEPT_FILE] == b"id;user\r\n1;2\r\n"
    assert harness.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert harness.bucket.keys(f"quarantine/{BATCH}/rows/") == []
    [event] = harness.events()
    assert isinstance(event, FileRejected)
    assert event.rule == "file.header"
    report = harness.report()
    assert (report["status"], report["staged"], report["rows_in"]) == ("rejected", None, 0)
    assert report["quarantined_file"]["key"] == KEPT_FILE


def test_too_many_bad_rows_reject_the_file_and_say_which_rows() -> None:
    harness = a_harness(*healthy(7), *[an_order(quantity) for quantity in ("", "", "")])
    assert harness.validate()["outcome"] == "REJECTED"
    assert [row["line"] for row in harness.bucket.rows(BAD_ROWS)] == [9, 10, 11]
    assert KEPT_FILE in harness.bucket.standing
    assert STAGED not in harness.bucket.standing
    report = harness.report()
    assert (report["rows_in"], report["accepted"], report["quarantined"]) == (10, 0, 10)
    assert report["rule"] == "file.too_many_bad_rows"


def test_a_header_in_another_order_further_down_rejects_the_file() -> None:
    """The rows below it would be read with their columns exchanged."""
    swapped = "user_id,order_id,order_date,total_amount,status"
    harness = a_harness(*healthy(9), swapped, "u9,o9,2025-07-01,10.00,completed")
    harness.validate()
    [rejected] = harness.events()
    assert isinstance(rejected, FileRejected)
    assert rejected.rule == "file.header"
    assert "line 11 is a header again, with the columns in another order" in rejected.reason
    assert STAGED not in harness.bucket.standing


@pytest.mark.medium
def test_a_file_that_turns_bad_late_leaves_no_rows_behind() -> None:
    harness = ValidatorHarness(block_bytes=40)
    text = orders_csv(*healthy(50), an_order(status=""), *healthy(50)).encode()
    harness.upload("orders/a.csv", text + b"1,u,2025-07-07,1,\xe9t\xe9\n")
    harness.validate()
    assert harness.report()["rule"] == "file.encoding"
    assert STAGED not in harness.bucket.standing
    assert BAD_ROWS not in harness.bucket.standing


def test_a_file_whose_rows_are_all_bad_may_be_accepted_and_stages_nothing() -> None:
    harness = a_harness(an_order(status=""), max_rejected_fraction=1.0)
    assert harness.validate()["outcome"] == "VALIDATED"
    assert harness.report()["staged"] is None
    assert harness.report()["quarantined"] == 1


def test_a_repeated_file_needs_no_work_and_has_no_report() -> None:
    harness = a_harness(an_order())
    copy = harness.upload("orders/b.csv", orders_csv(an_order()), duplicate_of=0)
    assert harness.validate(copy) == {"outcome": "VALIDATED", "file_index": 1}
    assert harness.events(copy) == []
    assert harness.bucket.keys("processing/") == [f"processing/{BATCH}/manifest.json"]


@pytest.mark.parametrize("refused", [STAGED, "/reports/"])
def test_a_failed_upload_fails_the_command_and_records_nothing(refused: str) -> None:
    harness = a_harness(*healthy(3))
    harness.bucket.refused_keys = (refused,)
    with pytest.raises(Transient):
        harness.validate()
    assert harness.events() == []
    harness.bucket.refused_keys = ()
    assert harness.validate()["outcome"] == "VALIDATED"
    assert len(harness.bucket.rows(STAGED)) == 3


def test_a_crash_before_the_end_of_the_file_leaves_nothing_visible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = a_harness(*healthy(100), block_bytes=100)
    written: list[Any] = []

    def write_once(_file: RowFile, table: Any) -> None:
        if written:
            raise MemoryError("killed")
        written.append(table)

    monkeypatch.setattr(RowFile, "write", write_once)
    with pytest.raises(MemoryError):
        harness.validate()
    assert written
    assert harness.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert harness.bucket.keys("quarantine/") == []
    assert harness.events() == []


def test_a_dropped_connection_is_no_bad_file_and_the_next_attempt_succeeds() -> None:
    harness = a_harness(*healthy(100), block_bytes=100)
    harness.bucket.drops_after = 300
    with pytest.raises(Transient):
        harness.validate()
    assert harness.events() == []
    assert harness.bucket.keys("quarantine/") == []
    assert harness.bucket.keys(f"processing/{BATCH}/orders/") == []
    harness.bucket.drops_after = None
    assert harness.validate()["outcome"] == "VALIDATED"
    assert harness.report()["accepted"] == 100


def test_rows_that_were_lost_on_the_way_fail_the_command_loudly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = a_harness(*healthy(5))
    write = RowFile.write
    monkeypatch.setattr(RowFile, "write", lambda file, table: write(file, table.slice(1)))
    with pytest.raises(PipelineError, match=r"orders/a\.csv does not add up: 5 rows in.*4 rows"):
        harness.validate()
    assert STAGED not in harness.bucket.standing
    assert harness.events() == []


def test_lost_quarantine_rows_fail_a_file_with_too_many_bad_rows_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = a_harness(*[an_order(status="")] * 5)
    table = use_cases.quarantine_table
    monkeypatch.setattr(use_cases, "quarantine_table", lambda *given: table(*given).slice(1))
    with pytest.raises(PipelineError, match="does not add up"):
        harness.validate()


def test_a_command_that_comes_again_is_answered_from_the_stream() -> None:
    harness = a_harness(*healthy(3))
    first = harness.validate()
    standing = dict(harness.bucket.standing)
    assert harness.validate() == first
    assert harness.bucket.opened == 1
    assert harness.bucket.standing.keys() == standing.keys()
    assert harness.bucket.standing[STAGED] is standing[STAGED]
    assert len(harness.events()) == 1
    assert len([key for key, _ in harness.bucket.versions if "/reports/" in key]) == 1


def test_a_rejection_that_comes_again_is_still_a_rejection() -> None:
    harness = ValidatorHarness()
    harness.upload("orders/a.csv", "")
    assert harness.validate() == harness.validate() == {"outcome": "REJECTED", "file_index": 0}
    assert harness.bucket.opened == 1


def test_a_redrive_under_a_newer_fence_validates_again() -> None:
    harness = a_harness(*healthy(3))
    harness.validate(fence=7)
    harness.validate(fence=9)
    assert harness.bucket.opened == 2
    assert [event.fence for event in harness.events()] == [7, 9]


def test_a_stale_command_is_refused() -> None:
    harness = a_harness(*healthy(3))
    harness.validate(fence=9)
    with pytest.raises(StaleWriter, match="fence 9; 7 is stale"):
        harness.validate(fence=7)
    assert [event.fence for event in harness.events()] == [9]


def test_a_conclusion_under_a_fence_that_no_grant_can_have_keeps_nobody_away() -> None:
    harness = a_harness(*healthy(3))
    harness.validate(fence=1_000_000_000)
    assert harness.validate(fence=9)["outcome"] == "VALIDATED"
    assert harness.validate(fence=11)["outcome"] == "VALIDATED"
    assert [event.fence for event in harness.events()] == [1_000_000_000, 9, 11]


def test_such_a_fence_is_refused_where_a_conclusion_stands() -> None:
    harness = a_harness(*healthy(3))
    harness.validate(fence=9)
    with pytest.raises(Refused, match="never granted fence 1000000000"):
        harness.validate(fence=1_000_000_000)
    assert [event.fence for event in harness.events()] == [9]


def test_a_stale_command_names_the_fence_that_was_seen() -> None:
    harness = a_harness(*healthy(3))
    harness.validate(fence=9)
    with pytest.raises(StaleWriter) as stale:
        harness.validate(fence=7)
    assert stale.value.seen_fence == 9


def test_a_writer_that_became_stale_while_it_read_leaves_the_newer_result_alone() -> None:
    harness = a_harness(*healthy(3))
    newer = ValidatorHarness.validate
    opened = harness.bucket.open

    def slow(bucket: str, file: Any) -> Any:
        harness.bucket.open = opened  # type: ignore[method-assign]
        newer(harness, fence=9)
        return opened(bucket, file)

    harness.bucket.open = slow  # type: ignore[method-assign]
    with pytest.raises(StaleWriter):
        harness.validate(fence=7)
    assert [event.fence for event in harness.events()] == [9]


def test_a_second_delivery_at_the_same_time_gets_the_first_ones_answer() -> None:
    harness = a_harness(*healthy(3))
    opened = harness.bucket.open

    def slow(bucket: str, file: Any) -> Any:
        harness.bucket.open = opened  # type: ignore[method-assign]
        ValidatorHarness.validate(harness)
        return opened(bucket, file)

    harness.bucket.open = slow  # type: ignore[method-assign]
    assert harness.validate()["outcome"] == "VALIDATED"
    assert len(harness.events()) == 1


def test_a_redrive_that_ends_otherwise_removes_what_no_longer_holds() -> None:
    harness = a_harness(*healthy(1), an_order("2", order_date="2025-07-10"))
    assert harness.validate(fence=7)["outcome"] == "REJECTED"
    assert {KEPT_FILE, BAD_ROWS} <= harness.bucket.standing.keys()
    harness.now += timedelta(days=1)
    assert harness.validate(fence=9)["outcome"] == "VALIDATED"
    assert harness.bucket.keys("quarantine/") == []
    harness.now -= timedelta(days=1)
    assert harness.validate(fence=11)["outcome"] == "REJECTED"
    assert STAGED not in harness.bucket.standing


def test_tomorrow_is_counted_in_utc() -> None:
    harness = a_harness(an_order(order_date="2025-07-09"))
    assert harness.validate()["outcome"] == "VALIDATED"


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
    harness = a_harness(an_order(order_date="2025-07-10"))
    assert harness.validate()["outcome"] == "REJECTED"
    assert harness.bucket.rows(BAD_ROWS)[0]["rule"] == "order_date.maximum"


def test_a_file_is_held_against_the_currency_of_the_pipeline() -> None:
    harness = ValidatorHarness(currency="JPY")
    header = "order_id,user_id,order_date,total_amount,status,currency"
    harness.upload("orders/a.csv", f"{header}\n{an_order()},EUR\n")
    assert harness.validate()["outcome"] == "REJECTED"
    assert harness.bucket.rows(BAD_ROWS)[0]["rule"] == "currency.other"


def with_manifest(harness: ValidatorHarness, **changed: Any) -> Message:
    """The command for the first file, by a manifest that says this as well."""
    command = harness.command(0, 7)
    ref = command.data.manifest
    manifest = harness.bucket.put_json(BUCKET, ref.key, harness.bucket.get_json(ref) | changed)
    return replace(command, data=command.data.model_copy(update={"manifest": manifest}))


def test_a_manifest_that_breaks_its_contract_is_refused_and_nothing_of_it_is_read() -> None:
    harness = a_harness(*healthy(3))
    with pytest.raises(ContractViolation, match="trigger"):
        use_cases.validate_file(with_manifest(harness, trigger="MOON"), harness.ports())
    assert harness.bucket.opened == 0


def test_a_manifest_may_say_more_than_was_known_here() -> None:
    harness = a_harness(*healthy(3))
    told = use_cases.validate_file(with_manifest(harness, said_by_a_newer_one=1), harness.ports())
    assert told["outcome"] == "VALIDATED"


def test_an_event_of_another_kind_in_the_stream_is_a_fault() -> None:
    harness = a_harness(*healthy(3))
    with pytest.raises(TypeError, match="ValidateFile is no event of this stream"):
        FileHistory.replay([harness.command(0, 7)])


def test_a_file_that_the_manifest_does_not_have_is_a_broken_command() -> None:
    harness = a_harness(an_order())
    with pytest.raises(ContractViolation, match="none with index 3"):
        harness.validate(3)


def test_the_manifest_of_another_batch_is_a_broken_command() -> None:
    harness = a_harness(an_order())
    with pytest.raises(ContractViolation, match=f"batch {BATCH}, not of 0000000000000001"):
        harness.validate(batch_id="0000000000000001")


def test_the_report_says_which_keys_made_the_staged_pseudonyms() -> None:
    """The keys are asked for anew for each file of orders: a rotation holds from the next on."""
    harness = ValidatorHarness()
    first = orders_csv(an_order("1", "ann"))
    indexes = [harness.upload(f"orders/{name}.csv", first) for name in "ab"]
    products = harness.upload("products/c.csv", products_csv(a_product()))
    bad = harness.upload("orders/d.csv", "no,header\n")
    harness.validate(indexes[0])
    harness.keys = (*harness.keys, b"another key")
    for index in (indexes[1], products, bad):
        harness.validate(index)

    [one, other] = [harness.report(index)["pseudonym_check"] for index in indexes]
    assert one == check_of(harness.keys[:1])
    assert other == check_of(harness.keys)
    assert harness.report(products)["pseudonym_check"] is None
    assert harness.report(bad)["pseudonym_check"] is None
    for index, keys in zip(indexes, (harness.keys[:1], harness.keys), strict=True):
        [row] = harness.bucket.rows(harness.report(index)["staged"]["key"])
        pseudonym = "ann"
        for key in keys:
            pseudonym = hmac.new(key, pseudonym.encode(), "sha256").hexdigest()
        assert row["user_id"] == pseudonym


def test_a_version_that_somebody_deleted_is_rejected_as_gone_and_nothing_of_it_stands() -> None:
    harness = a_harness(*healthy(9))
    harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
    for fence in (7, 8):
        assert harness.validate(fence=fence) == {"outcome": "REJECTED", "file_index": 0}
    report = json.loads(harness.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert (report["status"], report["rule"]) == ("rejected", FILE_GONE)
    assert (report["rows_in"], report["staged"], report["quarantined_file"]) == (0, None, None)
    assert "orders/a.csv" in report["reason"]
    assert harness.bucket.keys(f"processing/{BATCH}/orders/") == []
    assert harness.bucket.keys("quarantine/") == []


def test_what_was_read_stands_when_its_batch_is_run_again_after_it_was_archived() -> None:
    """Also what is in quarantine of it: the batch may be published, and is told of as it is."""
    harness = a_harness(*healthy(9), "10,u1,2025-13-01,1.00,completed")
    assert harness.validate(fence=7)["outcome"] == "VALIDATED"
    standing = dict(harness.bucket.standing)
    harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
    redriven = harness.command(0, 8)
    redriven = replace(redriven, data=redriven.data.model_copy(update={"attempt": 1}))
    for _ in range(2):
        told = use_cases.validate_file(redriven, harness.ports())
        assert told == {"outcome": "VALIDATED", "file_index": 0}
    assert harness.bucket.keys("quarantine/") != []
    assert {key: standing[key] for key in harness.bucket.keys("")} == standing
    first, again = (message.data for message in harness.store.read(f"validation/{BATCH}/0"))
    assert (again.fence, again.attempt) == (8, 1)
    assert again == first.model_copy(update={"fence": 8, "attempt": 1})


def test_what_a_twin_read_under_the_same_grant_stands_when_the_file_is_gone_for_the_other() -> None:
    harness = a_harness(*healthy(9))
    opened = harness.bucket.open

    def twin_first(bucket: str, file: Any) -> Any:
        harness.bucket.open = opened  # type: ignore[method-assign]
        assert harness.validate(fence=7)["outcome"] == "VALIDATED"
        harness.bucket.delete(file.key, file.version_id)
        return opened(bucket, file)

    harness.bucket.open = twin_first  # type: ignore[method-assign]
    assert harness.validate(fence=7)["outcome"] == "VALIDATED"
    [concluded] = harness.events()
    assert harness.report() == harness.bucket.get_json(concluded.report)
    assert harness.bucket.keys(f"processing/{BATCH}/orders/") != []


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
    harness = a_harness(*rows)
    before = set(harness.bucket.standing)
    harness.bucket.refused_keys = ("/reports/",)
    with pytest.raises(Transient):
        harness.validate(fence=7)
    harness.bucket.refused_keys = ()
    manifest = f"processing/{BATCH}/manifest.json"
    rest = sorted(set(harness.bucket.standing) - before - {manifest})
    assert len(rest) == 2
    assert all(key.startswith(prefix) for key, prefix in zip(rest, left, strict=True))
    harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
    assert harness.validate(fence=7)["outcome"] == "REJECTED"
    reports = set(harness.bucket.keys(f"processing/{BATCH}/reports/"))
    assert set(harness.bucket.standing) == before | {manifest} | reports


def test_a_file_that_was_bad_before_and_is_gone_now_is_gone() -> None:
    harness = a_harness("1,u1,2025-13-01,1.00,completed")
    assert harness.validate(fence=7)["outcome"] == "REJECTED"
    harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
    assert harness.validate(fence=8)["outcome"] == "REJECTED"
    report = json.loads(harness.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert report["rule"] == FILE_GONE


def test_a_bad_file_that_is_deleted_before_it_is_kept_is_gone() -> None:
    harness = ValidatorHarness()
    harness.upload("orders/a.csv", "nothing")
    copy = harness.bucket.copy

    def deleted_first(bucket: str, file: Any, key: str) -> Any:
        harness.bucket.delete(file.key, file.version_id)
        return copy(bucket, file, key)

    harness.bucket.copy = deleted_first  # type: ignore[method-assign]
    assert harness.validate()["outcome"] == "REJECTED"
    report = json.loads(harness.bucket.standing[f"processing/{BATCH}/reports/0000.json"])
    assert report["rule"] == FILE_GONE


@pytest.mark.parametrize("fence", [7, 8])
def test_the_newest_report_is_the_one_of_the_conclusion_that_stands(fence: int) -> None:
    """One attempt sleeps, its report in hand; meanwhile the file is deleted and told as gone."""
    harness = a_harness(*healthy(9))
    put = harness.bucket.put_json

    def overtaken_first(bucket: str, key: str, document: Any) -> Any:
        if "/reports/" in key:
            harness.bucket.put_json = put  # type: ignore[method-assign]
            harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
            assert harness.validate(fence=fence)["outcome"] == "REJECTED"
        return put(bucket, key, document)

    harness.bucket.put_json = overtaken_first  # type: ignore[method-assign]
    with nullcontext() if fence == 7 else pytest.raises(StaleWriter):
        assert harness.validate(fence=7)["outcome"] == "REJECTED"
    [concluded] = harness.events()
    assert concluded.rule == FILE_GONE
    assert harness.report() == harness.bucket.get_json(concluded.report)


def test_who_died_with_its_own_report_on_top_puts_the_standing_one_back_when_it_comes_again() -> (
    None
):
    harness = a_harness(*healthy(9))
    harness.validate()
    [concluded] = harness.events()
    harness.bucket.put_json(BUCKET, concluded.report.key, {"of": "an attempt that died"})
    late = harness.command(0, 7)
    late = replace(late, data=late.data.model_copy(update={"attempt": 1}))
    assert use_cases.validate_file(late, harness.ports())["outcome"] == "VALIDATED"
    assert harness.report() == harness.bucket.get_json(concluded.report)
