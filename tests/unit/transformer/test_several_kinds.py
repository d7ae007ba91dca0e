"""A file that gives rows of several kinds: read as its report pins them, reconciled by kind."""

from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractViolation, PipelineError, StaleWriter
from contracts.messages import BatchManifest, FileReport, ObjectRef
from services.runtime.storage.documents import sha256_hex
from services.transformer.adapters import S3StagedInputs
from services.transformer.batch.reconciliation import file_results, kinds_of, staged_check
from tests.contract.builders import a_document
from tests.unit.transformer.test_staged_inputs import KEY, Bucket, parquet

CONTENT = parquet("1", "2")
PLACE = {("orders", 0): 2, ("order_items", 0): 3}


def of_kind(kind: str, accepted: int, **changes: Any) -> dict[str, Any]:
    staged = ObjectRef(bucket="b", key=KEY, version_id=kind, sha256=sha256_hex(CONTENT))
    counts = {"kind": kind, "rows_in": accepted, "accepted": accepted, "quarantined": 0}
    return {**counts, "staged": staged, **changes}


def a_report(*kinds: dict[str, Any], **changes: Any) -> FileReport:
    given = kinds or (
        of_kind("orders", 2, rows_in=4, duplicates=1, left_out={"draft": 1}),
        of_kind("order_items", 3, rows_in=6, quarantined=1, left_out={"draft": 2}),
    )
    report = {
        "key": "incoming/a/1.csv",
        "kind": "order_items",
        "rows_in": 6,
        "accepted": 3,
        "quarantined": 1,
        "left_out": {"draft": 2},
        "staged": None,
        "kinds": list(given),
    }
    return FileReport.model_validate(a_document("FileReport", **report | changes))


def results(report: FileReport, stand: dict[tuple[str, int], int] = PLACE) -> Any:
    manifest = BatchManifest.model_validate(a_document("BatchManifest"))
    return file_results(manifest, {0: report}, stand, {})


def test_a_file_balances_as_a_whole_and_in_each_of_its_kinds() -> None:
    [told] = results(a_report())
    assert (told.rows_in, told.accepted, told.quarantined, told.duplicates) == (6, 3, 1, 0)
    assert told.left_out == {"draft": 2}


@pytest.mark.parametrize(
    ("report", "stand", "said"),
    [
        (
            a_report(left_out={"draft": 1}),
            PLACE,
            r"1\.csv does not balance: 6 rows in, .*'left_out': 1",
        ),
        (a_report(left_out={}), PLACE, r"1\.csv does not balance: 6 rows in"),
        (
            a_report(of_kind("orders", 2), of_kind("order_items", 3, rows_in=4)),
            PLACE,
            r"1\.csv, order_items, does not balance: 4 rows in",
        ),
        (a_report(), {("orders", 0): 2, ("order_items", 0): 2}, r"order_items, .*: 3 rows were"),
        (a_report(), {("orders", 0): 1, ("order_items", 0): 3}, r"orders, .*: 2 rows were staged"),
    ],
)
def test_a_sum_that_does_not_hold_stops_the_batch(
    report: FileReport, stand: dict[tuple[str, int], int], said: str
) -> None:
    with pytest.raises(PipelineError, match=said):
        results(report, stand)


def test_a_plain_report_gives_its_own_kind() -> None:
    report = FileReport.model_validate(a_document("FileReport", duplicates=4, rows_in=14))
    [found] = kinds_of(report)
    assert (found.kind, found.rows_in, found.accepted, found.quarantined) == ("orders", 14, 9, 1)
    assert (found.duplicates, found.left_out, found.staged) == (4, {}, report.staged)


def test_the_pseudonyms_of_its_orders_are_checked_beside_the_lines_that_it_is_of() -> None:
    with pytest.raises(StaleWriter, match="redrive the batch"):
        staged_check({0: a_report(pseudonym_check="others")}, "keys")
    assert staged_check({0: a_report(pseudonym_check="keys")}, None) == "keys"
    assert staged_check({0: a_report(guests=2, pseudonym_check=None)}, "keys") is None
    lines_alone = a_report(of_kind("order_items", 3), pseudonym_check="others")
    assert staged_check({0: lines_alone}, "keys") is None


@pytest.mark.parametrize("whole", [True, False])
def test_each_kind_is_read_as_it_is_pinned(*, whole: bool) -> None:
    bucket = Bucket(CONTENT)
    kinds = of_kind("orders", 2), of_kind("products", 0, staged=None), of_kind("order_items", 2)
    report = a_report(*kinds, whole_orders=whole)
    with S3StagedInputs(bucket).fetch({0: report}) as files:
        assert [(file.kind, file.file_index, file.source_key) for file in files] == [
            ("orders", 0, "incoming/a/1.csv"),
            ("order_items", 0, "incoming/a/1.csv"),
        ]
        assert [file.whole_orders for file in files] == [whole, whole]
        assert len({file.path.name for file in files}) == 2
        assert all(pq.read_metadata(file.path).num_rows == 2 for file in files)
    assert sorted(each["VersionId"] for each in bucket.asked_for) == ["order_items", "orders"]


def test_a_kind_of_fewer_rows_than_were_accepted_is_not_read() -> None:
    report = a_report(of_kind("orders", 2), of_kind("order_items", 3))
    with (
        pytest.raises(ContractViolation, match="holds 2 rows, its report accepted 3"),
        S3StagedInputs(Bucket(CONTENT)).fetch({0: report}),
    ):
        pass
