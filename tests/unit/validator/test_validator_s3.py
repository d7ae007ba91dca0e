"""The S3 adapters against moto: pinned versions, one visible step, faults told apart."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from contracts.errors import PipelineError, Transient, VersionGone
from contracts.messages import ManifestFile
from services.validator.adapters import MIB, S3Inputs, S3Outputs, pseudonym_keys
from tests.support.doubles import Refusing, refused
from tests.support.moto_account import versioned_buckets

pytestmark = pytest.mark.medium

KEY = "orders/ä 1.csv"
TARGET = "quarantine/b/files/orders/ä 1.csv"


@pytest.fixture
def s3() -> Iterator[Any]:
    with versioned_buckets("data") as client:
        yield client


def upload(s3: Any, content: bytes, **changes: Any) -> ManifestFile:
    answer = s3.put_object(Bucket="data", Key=KEY, Body=content)
    return ManifestFile(
        **{
            "index": 0,
            "kind": "orders",
            "key": KEY,
            "version_id": answer["VersionId"],
            "size_bytes": len(content),
            "etag": answer["ETag"].strip('"'),
            **changes,
        }
    )


def stored(s3: Any, key: str, version_id: str) -> bytes:
    body: bytes = s3.get_object(Bucket="data", Key=key, VersionId=version_id)["Body"].read()
    return body


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket="data").get("Contents", [])]


def read_all(inputs: S3Inputs, file: ManifestFile) -> bytes:
    content = b""
    with inputs.open("data", file) as stream:
        while piece := stream.read(4):
            content += piece
    return content


def test_exactly_the_pinned_version_is_read(s3: Any) -> None:
    older = upload(s3, b"older one")
    upload(s3, b"newer")
    assert read_all(S3Inputs(s3), older) == b"older one"


def test_a_version_that_is_gone_is_named(s3: Any) -> None:
    file = upload(s3, b"x")
    s3.delete_object(Bucket="data", Key=KEY, VersionId=file.version_id)
    with pytest.raises(VersionGone, match=f"{KEY} version {file.version_id}"):
        read_all(S3Inputs(s3), file)


def test_a_version_that_is_gone_when_it_is_copied_is_named(s3: Any) -> None:
    file = upload(s3, b"x")
    s3.delete_object(Bucket="data", Key=KEY, VersionId=file.version_id)
    with pytest.raises(VersionGone, match="somebody has deleted it"):
        S3Outputs(s3).copy("data", file, "quarantine/b/files/orders/a.csv")


@pytest.mark.parametrize("code", ["AccessDenied", "403"])
def test_a_version_that_we_may_not_read_is_not_gone(code: str) -> None:
    """The role may list the bucket, so S3 says 404 for what is gone: this is our fault."""

    class Forbidding:
        def get_object(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code}}, "GetObject")

    file = ManifestFile(
        index=0, kind="orders", key=KEY, version_id="v1", size_bytes=1, etag="e", sha256=None
    )
    with pytest.raises(PipelineError) as raised, S3Inputs(Forbidding()).open("data", file):
        pass
    assert not isinstance(raised.value, VersionGone)


class Answering:
    """A client that gives this body to every GetObject."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self.body}


class Breaking(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 4:
            raise ReadTimeoutError(endpoint_url="http://s3")
        return super().read(size)


@pytest.mark.parametrize("body", [io.BytesIO(b"half"), Breaking(b"halfway")])
def test_a_body_that_ends_too_early_is_never_the_end_of_the_file(body: Any) -> None:
    file = ManifestFile(index=0, kind="orders", key=KEY, version_id="v1", size_bytes=7, etag="e")
    with pytest.raises(Transient, match=f"{KEY} version v1"):
        read_all(S3Inputs(Answering(body)), file)


@pytest.mark.parametrize("parts", [1, 3])
def test_an_upload_is_pinned_with_its_hash_however_large(
    s3: Any, tmp_path: Path, parts: int
) -> None:
    content = b"0123456789abcdef" * (MIB // 16) * (4 + 5 * (parts - 1))
    path = tmp_path / "staged.parquet"
    path.write_bytes(content)
    outputs = S3Outputs(s3, multipart_bytes=5 * MIB, part_bytes=5 * MIB)
    ref = outputs.put(path, "data", "processing/b/orders/0000.parquet")
    assert ref.sha256 == hashlib.sha256(content).hexdigest()
    assert stored(s3, ref.key, ref.version_id) == content
    etag = s3.head_object(Bucket="data", Key=ref.key)["ETag"].strip('"')
    assert etag.partition("-")[2] == ("" if parts == 1 else str(parts))


def test_an_upload_that_breaks_in_the_middle_leaves_nothing(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "staged.parquet"
    path.write_bytes(b"x" * 11 * MIB)
    upload_part = s3.upload_part

    def second_fails(**request: Any) -> Any:
        if request["PartNumber"] == 2:
            raise EndpointConnectionError(endpoint_url="http://s3")
        return upload_part(**request)

    monkeypatch.setattr(s3, "upload_part", second_fails)
    outputs = S3Outputs(s3, multipart_bytes=5 * MIB, part_bytes=5 * MIB)
    with pytest.raises(Transient):
        outputs.put(path, "data", "processing/b/orders/0000.parquet")
    assert keys(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="data")


def test_an_unversioned_bucket_is_refused(s3: Any, tmp_path: Path) -> None:
    s3.create_bucket(Bucket="plain")
    path = tmp_path / "x"
    path.write_bytes(b"x")
    with pytest.raises(PipelineError, match="versioning switched on"):
        S3Outputs(s3).put(path, "plain", "x")


def test_a_rejected_file_is_copied_byte_for_byte_from_its_version(s3: Any) -> None:
    file = upload(s3, b"\xff\xfebad;file")
    upload(s3, b"corrected")
    ref = S3Outputs(s3).copy("data", file, TARGET)
    assert stored(s3, TARGET, ref.version_id) == b"\xff\xfebad;file"
    assert ref.sha256 == hashlib.sha256(b"\xff\xfebad;file").hexdigest()


def test_a_copy_of_a_file_that_was_uploaded_in_parts_is_compared_by_its_bytes(s3: Any) -> None:
    file = upload(s3, b"bad;file", etag="0123456789abcdef0123456789abcdef-2")
    assert S3Outputs(s3).copy("data", file, TARGET).key == TARGET


@pytest.mark.parametrize(
    "changes",
    [
        {"size_bytes": 9},
        {"etag": "0" * 32, "sha256": "0" * 64},
        {"etag": "0" * 32 + "-2", "sha256": "0" * 64},
    ],
    ids=["size", "bytes", "bytes of a multipart upload"],
)
def test_a_copy_that_is_not_its_source_is_refused(s3: Any, changes: dict[str, Any]) -> None:
    file = upload(s3, b"bad;file", **changes)
    with pytest.raises(PipelineError, match="is not what was copied"):
        S3Outputs(s3).copy("data", file, TARGET)


@pytest.mark.parametrize("outputs", [{}, {"multipart_bytes": 1}], ids=["whole", "in parts"])
@pytest.mark.parametrize("beaten_by", ["another version", "nothing", "a removal"])
def test_a_version_is_put_back_where_it_does_not_stand(
    s3: Any, tmp_path: Path, beaten_by: str, outputs: dict[str, int]
) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"what stands")
    ref = S3Outputs(s3).put(path, "data", TARGET)
    if beaten_by == "another version":
        s3.put_object(Bucket="data", Key=TARGET, Body=b"too late")
    elif beaten_by == "a removal":
        S3Outputs(s3).remove("data", TARGET)
    for _ in range(2):
        S3Outputs(s3, **outputs).restore(ref)
    found = s3.get_object(Bucket="data", Key=TARGET)
    assert found["Body"].read() == b"what stands"
    if beaten_by == "nothing":
        assert found["VersionId"] == ref.version_id


def test_a_version_that_is_gone_cannot_be_put_back(s3: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(b"with a user")
    ref = S3Outputs(s3).put(path, "data", TARGET)
    s3.put_object(Bucket="data", Key=TARGET, Body=b"without")
    s3.delete_object(Bucket="data", Key=TARGET, VersionId=ref.version_id)
    with pytest.raises(VersionGone, match=ref.version_id):
        S3Outputs(s3).restore(ref)
    assert stored(s3, TARGET, s3.head_object(Bucket="data", Key=TARGET)["VersionId"]) == b"without"


def test_removing_hides_what_stands_there_and_can_be_repeated(s3: Any) -> None:
    s3.put_object(Bucket="data", Key=TARGET, Body=b"x")
    for _ in range(2):
        S3Outputs(s3).remove("data", TARGET)
    assert keys(s3) == []
    found = s3.list_object_versions(Bucket="data")
    assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (1, 1)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (refused("SlowDown"), Transient),
        (EndpointConnectionError(endpoint_url="http://s3"), Transient),
        (refused("AccessDenied"), PipelineError),
    ],
)
def test_faults_of_s3_are_told_apart(error: Exception, raised: type[PipelineError]) -> None:
    with pytest.raises(PipelineError, match=r"s3://data/x") as caught:
        S3Outputs(Refusing(error)).remove("data", "x")
    assert type(caught.value) is raised


def test_the_key_of_the_pseudonyms_is_the_secrets_text(s3: Any) -> None:
    secrets = boto3.client("secretsmanager", region_name="us-east-1")
    arn = secrets.create_secret(Name="pseudonyms", SecretString="a long secret")["ARN"]
    assert pseudonym_keys(secrets, arn) == (b"a long secret",)
    with pytest.raises(PipelineError, match="secret nothing"):
        pseudonym_keys(secrets, "nothing")
