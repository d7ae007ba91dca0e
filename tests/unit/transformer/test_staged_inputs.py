"""Staged rows are read as their report pins them: that version, that content, that many rows."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.errors import ContractViolation
from contracts.messages import BatchManifest, FileReport, ObjectRef
from services.runtime.storage.documents import sha256_hex
from services.transformer.adapters import S3StagedInputs
from services.transformer.shared_inputs import SharedInputs
from tests.contract.builders import a_document

KEY = "processing/3f2a9c0d1e4b5a67/orders/0000.parquet"


def parquet(*order_ids: str) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"order_id": list(order_ids)}), sink)
    return bytes(sink.getvalue().to_pybytes())


class Bucket:
    """An S3 that gives the same content whatever is asked for, and remembers what was."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.asked_for: list[dict[str, str]] = []

    def get_object(self, **request: str) -> dict[str, Any]:
        self.asked_for.append(request)
        return {"Body": io.BytesIO(self._content)}


def a_report(content: bytes, accepted: int) -> dict[int, FileReport]:
    staged = ObjectRef(bucket="b", key=KEY, version_id="v7", sha256=sha256_hex(content))
    document = a_document("FileReport", key="orders/a.csv", staged=staged, accepted=accepted)
    return {0: FileReport.model_validate(document)}


def reported(**changes: Any) -> dict[int, FileReport]:
    """What is read of one input's report, which says this."""
    content = json.dumps(a_document("FileReport", **changes)).encode()
    manifest = BatchManifest.model_validate(a_document("BatchManifest"))
    return S3StagedInputs(Bucket(content)).reports(manifest)


def test_a_report_is_read_in_the_open_form_and_held_to_its_contract() -> None:
    [(index, report)] = reported(stated_by_a_newer_validator=True).items()
    assert (index, report) == (0, FileReport.model_validate(a_document("FileReport")))
    assert (report.duplicates, report.guests, report.currency) == (0, 0, None)
    with pytest.raises(ContractViolation, match="rows_in"):
        reported(rows_in=...)
    with pytest.raises(ContractViolation, match=r"reports on orders/1\.csv version v2, not on"):
        reported(version_id="v2")


def test_the_pinned_version_is_read_and_gone_afterwards() -> None:
    bucket = Bucket(parquet("1", "2"))
    with S3StagedInputs(bucket).fetch(a_report(parquet("1", "2"), 2)) as [file]:
        assert pq.read_table(file.path)["order_id"].to_pylist() == ["1", "2"]
        assert (file.kind, file.file_index, file.source_key) == ("orders", 0, "orders/a.csv")
    assert not file.path.parent.exists()
    assert bucket.asked_for == [{"Bucket": "b", "Key": KEY, "VersionId": "v7"}]


def test_a_staged_file_that_is_not_what_its_report_pins_is_not_read() -> None:
    """As many rows, of another order: only the content tells."""
    inputs = S3StagedInputs(Bucket(parquet("1", "3")))
    with (
        pytest.raises(ContractViolation, match=f"s3://b/{KEY} version v7 is not what was staged"),
        inputs.fetch(a_report(parquet("1", "2"), 2)),
    ):
        pass


def test_a_staged_file_of_fewer_rows_than_were_accepted_is_not_read() -> None:
    content = parquet("1")
    with (
        pytest.raises(ContractViolation, match="holds 1 rows, its report accepted 2"),
        S3StagedInputs(Bucket(content)).fetch(a_report(content, 2)),
    ):
        pass


class SharedBucket(Bucket):
    """Takes uploads too."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.uploads: dict[tuple[str, str], bytes] = {}

    def upload_file(self, path: str, bucket: str, key: str) -> None:
        self.uploads[bucket, key] = Path(path).read_bytes()


def test_what_executors_read_lies_under_its_content_so_that_no_attempt_replaces_anothers() -> None:
    shared = {}
    for ids in (("1", "2"), ("1", "3")):
        bucket, reports = SharedBucket(parquet(*ids)), a_report(parquet(*ids), 2)
        with SharedInputs(S3StagedInputs(bucket), bucket).fetch(reports) as [file]:
            assert file.shared_uri is not None
            assert file.shared_uri.endswith(f"/{file.path.name}")  # the engine knows it by its name
            batch_id = reports[0].batch_id
            assert file.shared_uri.startswith(f"s3://b/processing/{batch_id}/shared/")
            [((name, key), content)] = bucket.uploads.items()
            assert (f"s3://{name}/{key}", content) == (file.shared_uri, parquet(*ids))
            shared[ids] = file.shared_uri
    assert len(set(shared.values())) == 2
