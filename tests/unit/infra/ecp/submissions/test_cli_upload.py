"""A submission goes up whole, its manifest last, or leaves nothing behind."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.identities import batch_id_of
from infra.ecp.submissions import upload
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.upload import Uploader, manifest_upload_key
from services.runtime.storage.upload_manifest import MANIFEST_METADATA

BUCKET = "ecommerce-data-bucket"
NOON = datetime(2025, 7, 7, 12, 0, tzinfo=UTC)


class Refused(Exception):
    """What the failing bucket says."""


class FailingS3:
    """A bucket that refuses one key, or one call."""

    def __init__(self, s3: Any, key: str = "", call: str = "put_object") -> None:
        self._s3, self._key, self._call = s3, key, call

    def __getattr__(self, call: str) -> Any:
        def run(**arguments: Any) -> Any:
            if call == self._call and self._key in str(arguments["Key"]):
                raise Refused(arguments["Key"])
            return getattr(self._s3, call)(**arguments)

        return run


@pytest.fixture
def s3(aws: Any) -> Any:
    client = aws("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


def some_files(folder: Path, *names: str, size_bytes: int = 3) -> list[InputFile]:
    files = []
    for name in names or ("a", "b", "c", "d", "e"):
        path = folder / f"{name}.csv"
        path.write_bytes(name[:1].encode() * size_bytes)
        files.append(InputFile(path, "orders", f"orders/{name}.csv"))
    return files


def submit(s3: Any, files: list[InputFile], **options: Any) -> upload.Submission:
    return Uploader(s3, BUCKET, lambda: NOON, **options).submit(files)


def left_in(s3: Any) -> list[str]:
    """Every version and delete marker of the bucket, and uploads in parts that are not done."""
    answer = s3.list_object_versions(Bucket=BUCKET)
    entries = answer.get("Versions", []) + answer.get("DeleteMarkers", [])
    parts = s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return [entry["Key"] for entry in entries + parts]


def test_files_say_which_manifest_is_to_come_and_it_pins_their_versions(
    s3: Any, tmp_path: Path
) -> None:
    submission = submit(s3, some_files(tmp_path))
    body = s3.get_object(Bucket=BUCKET, Key=submission.manifest_key)["Body"].read()
    assert [entry["key"][-5:] for entry in json.loads(body)["files"]] == [
        f"{name}.csv" for name in "abcde"
    ]
    for entry, identity in zip(json.loads(body)["files"], submission.files, strict=True):
        assert entry == {"key": identity.key, "version_id": identity.version_id}
        head = s3.head_object(Bucket=BUCKET, Key=entry["key"], VersionId=entry["version_id"])
        assert head["Metadata"] == {MANIFEST_METADATA: submission.manifest_key}


def test_the_batch_id_is_known_before_the_batch_is_sealed(s3: Any, tmp_path: Path) -> None:
    submission = submit(s3, some_files(tmp_path))
    assert submission.batch_id == batch_id_of(submission.files)
    assert submission.started_at == NOON


def test_each_upload_is_announced_in_turn(s3: Any, tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    submit(
        s3,
        some_files(tmp_path, "x", "y"),
        on_uploaded=lambda file, done, total: said.append((file.key, done, total)),
    )
    assert said == [("orders/x.csv", 1, 2), ("orders/y.csv", 2, 2)]


@pytest.mark.parametrize("refused", ["orders/a.csv", "orders/e.csv", "manifests/"])
def test_whatever_is_refused_nothing_of_the_submission_stays(
    s3: Any, tmp_path: Path, refused: str
) -> None:
    with pytest.raises(Refused):
        submit(FailingS3(s3, refused), some_files(tmp_path))
    assert left_in(s3) == []


def test_an_older_upload_under_the_same_key_is_untouched_by_the_roll_back(
    s3: Any, tmp_path: Path
) -> None:
    s3.put_object(Bucket=BUCKET, Key="orders/a.csv", Body=b"older")
    with pytest.raises(Refused):
        submit(FailingS3(s3, "manifests/"), some_files(tmp_path))
    assert s3.get_object(Bucket=BUCKET, Key="orders/a.csv")["Body"].read() == b"older"
    assert left_in(s3) == ["orders/a.csv"]


def test_ctrl_c_rolls_back_too(s3: Any, tmp_path: Path) -> None:
    def interrupt(_file: InputFile, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        submit(s3, some_files(tmp_path), on_uploaded=interrupt)
    assert left_in(s3) == []


def test_what_cannot_be_deleted_again_is_told_and_the_first_fault_travels_on(
    s3: Any, tmp_path: Path
) -> None:
    class Keeping(FailingS3):
        def delete_object(self, **arguments: Any) -> Any:
            if arguments["Key"] == "orders/b.csv":
                said = {"Error": {"Code": "AccessDenied", "Message": "no"}}
                raise ClientError(said, "DeleteObject")
            return self._s3.delete_object(**arguments)

    uploader = Uploader(Keeping(s3, "manifests/"), BUCKET, lambda: NOON)
    with pytest.raises(Refused):
        uploader.submit(some_files(tmp_path))
    assert not uploader.is_submitted
    assert [file.key for file in uploader.left_behind] == ["orders/b.csv"]
    assert left_in(s3) == ["orders/b.csv"]


def test_parts_of_one_export_say_so_in_their_manifest(s3: Any, tmp_path: Path) -> None:
    def manifest_of(submission: upload.Submission) -> dict[str, Any]:
        body = s3.get_object(Bucket=BUCKET, Key=submission.manifest_key)["Body"].read()
        return dict(json.loads(body))

    files = some_files(tmp_path)
    assert manifest_of(submit(s3, files, one_statement=True))["one_statement"] is True
    assert "one_statement" not in manifest_of(submit(s3, files))


def test_a_large_file_goes_in_parts_and_arrives_whole(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 5 * 1024 * 1024)  # the least that S3 takes
    [file] = some_files(tmp_path, "big", size_bytes=5 * 1024 * 1024 + 7)
    [identity] = submit(s3, [file]).files
    answer = s3.get_object(Bucket=BUCKET, Key=file.key, VersionId=identity.version_id)
    assert answer["Body"].read() == file.path.read_bytes()
    assert "-2" in answer["ETag"]
    assert MANIFEST_METADATA in answer["Metadata"]


def test_a_large_file_that_fails_half_way_leaves_no_parts(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 5 * 1024 * 1024)
    files = some_files(tmp_path, "big", size_bytes=5 * 1024 * 1024 + 7)
    with pytest.raises(Refused):
        submit(FailingS3(s3, call="complete_multipart_upload"), files)
    assert left_in(s3) == []


def test_manifests_sort_by_time_and_differ_by_their_suffix() -> None:
    assert manifest_upload_key(NOON, "a1b2c3") == "manifests/20250707T120000Z-a1b2c3.json"
