"""`ecp submit --wait --json` (docs/design.md, Command line), for each end that a batch can have."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.messages import BatchManifest, BatchResult, FileReport
from contracts.schemas import find
from infra.ecp.batches.outcome import (
    all_seen_before,
    completed,
    read_outcome,
    read_result,
    read_seen_before,
    unpublished,
)
from infra.ecp.batches.outcome_view import print_restated, remarks, summary
from infra.ecp.cloud.status_view import print_open_set, said_of_held
from infra.ecp.submissions.hints import about_guests
from services.aggregator.open_set.completeness import of_rejected
from services.runtime.storage.documents import InMemoryObjectStore
from tests.unit.infra.batch_events import BATCH, BEGAN, an_event

PROMISED = {
    "batch_id",
    "status",
    "engine",
    "duration_seconds",
    "files",
    "waiting_order_items",
    "affected_days",
    "published",
}
PROMISED_OF_A_FILE = {
    "key",
    "kind",
    "status",
    "rows_in",
    "accepted",
    "quarantined",
    "duplicates",
    "reason",
    "guests",
    "unknown_columns",
    "source",
    "left_out",
    "seen_before",
}


def an_example(name: str, **changes: Any) -> dict[str, Any]:
    example: dict[str, Any] = find("documents", name, 1).document["examples"][0]
    return example | changes


def a_manifest(*duplicate_of: int | None) -> BatchManifest:
    """A file per argument: the index of the file that it repeats, None for an original."""
    [file] = an_example("BatchManifest")["files"]
    files = [
        file | {"index": index, "key": f"orders/{index}.csv", "duplicate_of": original}
        for index, original in enumerate(duplicate_of)
    ]
    return BatchManifest(**an_example("BatchManifest", files=files))


def a_report(**changes: Any) -> FileReport:
    return FileReport(**an_example("FileReport", **changes))


REJECTED = {"status": "rejected", "rule": "file.header", "reason": "column order_date is missing"}


def test_a_running_batch_has_no_outcome_yet() -> None:
    assert read_outcome([an_event("BatchSealed")], InMemoryObjectStore(), BEGAN) is None


def test_a_completed_batch_is_told_from_its_result_with_all_promised_fields() -> None:
    objects = InMemoryObjectStore()
    result = objects.put_json("b", "result.json", an_example("BatchResult"))
    end = an_event("BatchCompleted", 2.5, result=result.model_dump())
    outcome = read_outcome([end], objects, BEGAN)
    assert outcome is not None
    assert outcome.keys() >= PROMISED
    assert (outcome["batch_id"], outcome["status"]) == (BATCH, "COMPLETED")
    assert (outcome["engine"], outcome["duration_seconds"]) == ("duckdb", 2.5)
    assert outcome["published"] == {"order_kpis": 1, "category_kpis": 2, "deleted": 0}
    assert [file.keys() for file in outcome["files"]] == [PROMISED_OF_A_FILE]


def test_what_a_redrive_refused_of_a_published_batch_is_told_with_its_outcome() -> None:
    objects = InMemoryObjectStore()
    result = objects.put_json("b", "result.json", an_example("BatchResult")).model_dump()
    refused = "1 of 3 files rejected when it was validated again, but it was published before"
    lines = {
        remark: summary(
            read_outcome([an_event("BatchCompleted", result=result, remark=remark)], objects, BEGAN)
            or {}
        )
        for remark in (refused, None)
    }
    assert lines[refused] == [
        *lines[None],
        f"{refused}; `ecp batch {BATCH}` shows what is refused now",
    ]


def test_files_are_listed_in_manifest_order_and_days_in_calendar_order() -> None:
    [file] = an_example("BatchResult")["files"]
    result = an_example(
        "BatchResult",
        files=[file | {"index": 1, "key": "second"}, file | {"index": 0, "key": "first"}],
        affected_days=["2025-07-09", "2025-07-01"],
    )
    outcome = completed(BatchResult(**result))
    assert [one["key"] for one in outcome["files"]] == ["first", "second"]
    assert outcome["affected_days"] == ["2025-07-01", "2025-07-09"]


def test_a_rejected_batch_published_nothing_and_names_the_file_at_fault() -> None:
    objects = InMemoryObjectStore()
    manifest = objects.put_json("b", "manifest", a_manifest(None, None).model_dump(mode="json"))
    good = objects.put_json("b", "0", a_report().model_dump(mode="json"))
    bad = objects.put_json("b", "1", a_report(file_index=1, **REJECTED).model_dump(mode="json"))
    outcome = read_outcome(
        [
            an_event("BatchSealed", manifest=manifest.model_dump()),
            an_event("FileValidated", 1, report=good.model_dump()),
            an_event("FileRejected", 2, file_index=1, report=bad.model_dump()),
            an_event("BatchRejected", 3, reason="1 of 2 files rejected"),
        ],
        objects,
        BEGAN,
    )
    assert outcome is not None
    assert outcome.keys() >= PROMISED
    assert (outcome["status"], outcome["reason"]) == ("REJECTED", "1 of 2 files rejected")
    assert outcome["published"] == {"order_kpis": 0, "category_kpis": 0, "deleted": 0}
    assert [(one["status"], one["reason"]) for one in outcome["files"]] == [
        ("accepted", None),
        ("rejected", "column order_date is missing"),
    ]


def test_a_failed_batch_before_its_validation_has_unchecked_files() -> None:
    outcome = unpublished(a_manifest(None), {}, "AcquireLock failed")
    [file] = outcome["files"]
    assert (file["status"], file["rows_in"], file["reason"]) == ("unchecked", 0, None)


def test_a_batch_that_failed_unsealed_has_no_files() -> None:
    assert unpublished(None, {}, "nothing was sealed")["files"] == []


def test_a_repeated_file_counts_all_its_rows_as_duplicates_and_names_its_original() -> None:
    outcome = unpublished(a_manifest(None, 0), {0: a_report()}, "x")
    original, repeated = outcome["files"]
    assert (original["accepted"], original["quarantined"], original["duplicates"]) == (9, 1, 0)
    assert (repeated["status"], repeated["duplicates"], repeated["accepted"]) == (
        "duplicate",
        10,
        0,
    )
    assert repeated["reason"] == "the same content as orders/0.csv"
    for file in outcome["files"]:
        assert file["rows_in"] == file["accepted"] + file["quarantined"] + file["duplicates"]


def test_a_batch_that_failed_after_its_publication_is_told_as_published() -> None:
    """By this attempt or an earlier one: a redrive publishes nothing again."""
    objects = InMemoryObjectStore()
    result = objects.put_json("b", "result.json", an_example("BatchResult"))
    published = an_event("KpisPublished", 1, result=result.model_dump())
    failed = an_event("BatchFailed", 2, reason="The KPIs are published, but ArchiveBatch failed")
    first = read_outcome([published, failed], objects, BEGAN)
    redriven = read_outcome([failed], objects, BEGAN, earlier=[published])
    assert first is not None
    assert first == redriven
    assert (first["status"], first["engine"]) == ("FAILED", "duckdb")
    assert first["published"] == {"order_kpis": 1, "category_kpis": 2, "deleted": 0}
    said = " ".join(summary(first))
    assert "published and stands: The KPIs are published, but ArchiveBatch failed" in said
    assert f"`ecp redrive {BATCH} --wait` finishes it" in said
    assert "as before" not in said


def test_a_batch_that_failed_while_it_was_being_published_is_not_as_before() -> None:
    """Its execution was stopped; its worker, or whoever writes next, sets the rest of the KPIs."""
    events = [an_event("FactsPublished", 1), an_event("BatchFailed", 2, reason="it was stopped")]
    outcome = read_outcome(events, InMemoryObjectStore(), BEGAN)
    assert outcome is not None
    assert (outcome["status"], outcome["publication"]) == ("FAILED", "begun")
    said = " ".join(summary(outcome))
    assert "its publication has begun, and nothing undoes it" in said
    assert f"`ecp redrive {BATCH} --wait` finishes it" in said
    assert "as before" not in said


def test_a_worker_that_goes_on_after_the_failure_has_published_all_the_same() -> None:
    objects = InMemoryObjectStore()
    result = objects.put_json("b", "result.json", an_example("BatchResult"))
    events = [
        an_event("FactsPublished", 1),
        an_event("BatchFailed", 2, reason="it was stopped"),
        an_event("KpisPublished", 3, result=result.model_dump()),
    ]
    outcome = read_outcome(events, objects, BEGAN)
    assert outcome is not None
    assert (outcome["status"], outcome["publication"]) == ("FAILED", "done")
    assert "published and stands: it was stopped" in " ".join(summary(outcome))


def test_a_file_that_only_the_transformer_refused_is_rejected_with_its_reason() -> None:
    objects = InMemoryObjectStore()
    manifest = objects.put_json("b", "manifest", a_manifest(None, None).model_dump(mode="json"))
    report = objects.put_json("b", "0", a_report().model_dump(mode="json"))
    refused = [{"key": "orders/1.csv", "reason": "JPY, and what is published is in EUR"}]
    outcome = read_outcome(
        [
            an_event("BatchSealed", manifest=manifest.model_dump()),
            an_event("FileValidated", 1, file_index=0, report=report.model_dump()),
            an_event("FileValidated", 1, file_index=1, report=report.model_dump()),
            an_event("BatchRejected", 3, rejected_files=refused),
        ],
        objects,
        BEGAN,
    )
    assert outcome is not None
    assert [(one["status"], one["reason"]) for one in outcome["files"]] == [
        ("accepted", None),
        ("rejected", "JPY, and what is published is in EUR"),
    ]
    said = " ".join(summary(outcome))
    assert "orders/1.csv" in said
    assert "every row is right by itself, so none is in quarantine" in said
    assert "quarantine show" not in said


def test_a_batch_that_failed_before_its_publication_changed_nothing() -> None:
    outcome = read_outcome(
        [an_event("BatchFailed", reason="it broke")], InMemoryObjectStore(), BEGAN
    )
    assert outcome is not None
    assert summary(outcome)[0] == "facts and KPIs are as before: it broke"


def test_a_clock_that_is_ahead_of_the_cloud_gives_no_negative_time() -> None:
    late = BEGAN + timedelta(minutes=1)
    outcome = read_outcome([an_event("BatchFailed")], InMemoryObjectStore(), late)
    assert outcome is not None
    assert outcome["duration_seconds"] == 0.0


def test_totals_that_differ_from_their_lines_are_told_in_money() -> None:
    outcome = completed(BatchResult(**an_example("BatchResult")))
    assert outcome["order_totals"] == {
        "differing": 1,
        "worst": [{"order_id": "17", "total_amount": Decimal("10.00"), "lines": Decimal("8.00")}],
    }


def test_an_older_result_says_nothing_of_totals() -> None:
    result = an_example("BatchResult")
    del result["order_totals"]
    assert completed(BatchResult(**result))["order_totals"] is None


def test_a_batch_that_did_not_complete_has_no_result() -> None:
    assert read_result(None, InMemoryObjectStore()) is None
    assert read_result(an_event("BatchFailed"), InMemoryObjectStore()) is None


def test_files_that_were_all_seen_before_are_told_per_file_and_as_a_headline() -> None:
    objects = InMemoryObjectStore()
    files = [
        file.model_dump() | {"seen_before": "0123456789abcdef"} for file in a_manifest(None).files
    ]
    manifest = objects.put_json("b", "m", an_example("BatchManifest", files=files))
    result = objects.put_json("b", "r", an_example("BatchResult"))
    sealed = an_event("BatchSealed", manifest=manifest.model_dump())
    outcome = read_outcome(
        [sealed, an_event("BatchCompleted", 1, result=result.model_dump())], objects, BEGAN
    )
    assert outcome is not None
    assert outcome["seen_before"] == "0123456789abcdef"
    assert outcome["files"][0]["seen_before"] == "0123456789abcdef"
    [line] = [line for line in remarks(outcome) if "seen before" in line]
    assert line.startswith("seen before: identical to batch 0123456789abcdef")
    assert read_seen_before([sealed], objects) == "0123456789abcdef"
    assert all_seen_before(["a", None]) is None
    assert all_seen_before([]) is None


def test_what_was_restated_comes_with_its_examples() -> None:
    example = {
        "kind": "orders",
        "identity": ["1001"],
        "key": "orders/b.csv",
        "line": 5,
        "replaced_key": "orders/a.csv",
        "replaced_line": 3,
        "replaced_batch_id": "0123456789abcdef",
    }
    told = {"orders": 2, "order_items": 0, "products": 0, "examples": [example]}
    outcome = completed(BatchResult(**an_example("BatchResult", restated=told)))
    assert outcome["restated"] == told
    assert completed(BatchResult(**an_example("BatchResult", restated=None)))["restated"] is None


@pytest.mark.parametrize(
    ("orders", "items", "said"),
    [
        (0, 1, "restated: 1 order line of older files stands no more"),
        (1, 1, "restated: 1 order, 1 order line of older files stand no more"),
    ],
)
def test_what_was_restated_is_counted_in_grammar(
    capsys: pytest.CaptureFixture[str], orders: int, items: int, said: str
) -> None:
    told = {"orders": orders, "order_items": items, "products": 0, "examples": []}
    print_restated(told)
    assert said in " ".join(capsys.readouterr().out.split())


def test_one_guest_is_one() -> None:
    assert about_guests("orders/a.csv", 1) == [
        "orders/a.csv: 1 order of guests, without a user_id: it counts as an order, and as no "
        "customer"
    ]


def test_one_file_that_waits_is_one() -> None:
    held = {"batch_id": BATCH, "files": ["a"], "awaiting": ["orders/b.csv"]}
    assert said_of_held(held).startswith(f"1 file of rejected batch {BATCH} waits for a corrected")
    assert said_of_held(held | {"awaiting": None}).endswith("lets it go")
    assert "2 files of rejected batch" in said_of_held(held | {"files": ["a", "b"]})


@pytest.mark.parametrize(
    ("awaiting", "reason", "said"),
    [
        (["orders/b.csv"], "a corrected orders/b.csv", "a corrected version of: orders/b.csv"),
        (None, f"`ecp release {BATCH} --reason WHY`", f"`ecp release {BATCH} --reason WHY`"),
    ],
)
def test_what_a_rejected_batch_waits_for_is_said_once(
    capsys: pytest.CaptureFixture[str], awaiting: list[str] | None, reason: str, said: str
) -> None:
    print_open_set(
        {
            "files": [{"key": "orders/a.csv", "size_bytes": 1, "arrived_at": "2025-07-07T12:00"}],
            "manifests": [],
            "held": [{"batch_id": BATCH, "files": ["orders/a.csv"], "awaiting": awaiting}],
            "waiting_since": "2025-07-07T12:00:00.000Z",
            "waiting_for": ["order_items", f"{of_rejected(BATCH)}{reason}"],
        }
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert "waits for order_items" in printed
    assert said in printed
    assert printed.count(f"rejected batch {BATCH}") == 1


def test_guests_and_columns_that_nobody_reads_are_told_of_a_completed_batch() -> None:
    [file] = an_example("BatchResult")["files"]
    changed = file | {"guests": 2, "unknown_columns": ["note"], "duplicates": 0}
    outcome = completed(BatchResult(**an_example("BatchResult", files=[changed])))
    assert [line.partition(": ")[2] for line in remarks(outcome)] == [
        "1 column not read: note",
        "2 orders of guests, without a user_id: they count as orders, and as no customer",
    ]


def test_a_file_of_a_source_is_told_by_its_source_and_not_by_columns_without_use() -> None:
    [file] = an_example("BatchResult")["files"]
    read = {"source": "shopify-orders v1", "left_out": {"draft": 3}, "unknown_columns": ["Phone"]}
    outcome = completed(BatchResult(**an_example("BatchResult", files=[file | read])))
    assert f"{file['key']}: read by source shopify-orders v1; left out: 3 draft" in remarks(outcome)
    assert not [line for line in remarks(outcome) if "Phone" in line]


def a_rejection(*statuses: str) -> dict[str, Any]:
    outcome = unpublished(a_manifest(*(None for _ in statuses)), {}, "bad files")
    for file, status in zip(outcome["files"], statuses, strict=True):
        file["status"] = status
    return outcome | {"batch_id": BATCH, "status": "REJECTED"}


def test_the_way_out_of_a_rejection_is_a_command_that_can_be_copied() -> None:
    paths = {"orders/0.csv": Path("my shop/orders/0.csv")}
    said = summary(a_rejection("rejected", "accepted", "accepted"), paths)
    assert "then `ecp submit 'my shop/orders/0.csv' --wait`" in said[1]
    assert said[2].startswith("2 healthy files of the batch wait for that and go along in one")
    assert f"`ecp release {BATCH} --reason WHY`" in said[2]
    assert len(summary(a_rejection("rejected"))) == 2
