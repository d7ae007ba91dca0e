"""The S3 adapter against moto: exact versions, metadata, and faults told apart."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from contracts.errors import PipelineError, Transient
from services.archiver.adapters import MIB, S3Objects
from tests.support.doubles import Refusing, refused
from tests.support.moto_account import versioned_buckets


@pytest.fixture
def s3() -> Iterator[Any]:
    with versioned_buckets("uploads", "archive") as client:
        yield client


def put(s3: Any, content: bytes) -> str:
    answer = s3.put_object(
        Bucket="uploads",
        Key="orders/ä 1.csv",
        Body=content,
        ContentType="text/csv",
        Metadata={"team": "shop"},
    )
    version_id: str = answer["VersionId"]
    return version_id


def test_exactly_the_named_version_is_copied_with_its_metadata_and_origin(s3: Any) -> None:
    older = put(s3, b"older")
    put(s3, b"newer")
    objects = S3Objects(s3)
    source = objects.head("uploads", "orders/ä 1.csv", older)
    assert source is not None
    objects.copy(
        ("uploads", "orders/ä 1.csv", older),
        "archive",
        "archive/b/orders/ä 1.csv",
        source,
        {"source-version-id": older},
    )
    copy = objects.head("archive", "archive/b/orders/ä 1.csv")
    assert copy is not None
    assert (copy.size_bytes, copy.etag, copy.content_type) == (5, source.etag, "text/csv")
    assert copy.metadata == {"team": "shop", "source-version-id": older}
    expected = hashlib.sha256(b"older").hexdigest()
    assert objects.sha256("archive", "archive/b/orders/ä 1.csv", copy.version_id) == expected


@pytest.mark.medium
def test_a_large_object_is_copied_in_parts_and_keeps_what_is_said_of_it(s3: Any) -> None:
    content = b"0123456789abcdef" * 400_000
    version_id = put(s3, content)
    objects = S3Objects(s3, multipart_bytes=5 * MIB, part_bytes=5 * MIB)
    source = objects.head("uploads", "orders/ä 1.csv", version_id)
    assert source is not None
    objects.copy(
        ("uploads", "orders/ä 1.csv", version_id),
        "archive",
        "archive/b/large.csv",
        source,
        {"source-version-id": version_id},
    )
    copy = objects.head("archive", "archive/b/large.csv")
    assert copy is not None
    assert copy.etag.endswith("-2")
    assert (copy.size_bytes, copy.content_type) == (len(content), "text/csv")
    assert copy.metadata == {"team": "shop", "source-version-id": version_id}
    expected = hashlib.sha256(content).hexdigest()
    assert objects.sha256("archive", "archive/b/large.csv", copy.version_id) == expected


def test_deleting_a_version_leaves_the_others_and_can_be_repeated(s3: Any) -> None:
    older, newer = put(s3, b"older"), put(s3, b"newer")
    objects = S3Objects(s3)
    for _ in range(2):
        objects.delete("uploads", "orders/ä 1.csv", older)
    left = s3.list_object_versions(Bucket="uploads")
    assert [version["VersionId"] for version in left["Versions"]] == [newer]
    assert "DeleteMarkers" not in left


def test_what_is_not_there_is_none(s3: Any) -> None:
    assert S3Objects(s3).head("archive", "archive/b/none.csv") is None


def test_a_forbidden_head_in_the_archive_is_as_good_as_absent() -> None:
    assert S3Objects(Refusing(refused("403"))).head("archive", "k") is None


def test_a_forbidden_version_is_not_gone() -> None:
    """The role may list the data bucket: there only a missing right is forbidden."""
    with pytest.raises(PipelineError, match="403"):
        S3Objects(Refusing(refused("403"))).head("uploads", "k", "v1")


@pytest.mark.parametrize("code", ["404", "405"])
def test_a_version_that_is_deleted_or_a_marker_is_none(code: str) -> None:
    assert S3Objects(Refusing(refused(code))).head("uploads", "k", "v1") is None


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (refused("SlowDown"), Transient),
        (EndpointConnectionError(endpoint_url="http://s3"), Transient),
        (refused("AccessDenied"), PipelineError),
    ],
)
def test_faults_of_s3_are_told_apart_and_name_the_object(
    error: Exception, raised: type[PipelineError]
) -> None:
    with pytest.raises(PipelineError, match=r"s3://uploads/orders/1\.csv version v1") as caught:
        S3Objects(Refusing(error)).delete("uploads", "orders/1.csv", "v1")
    assert type(caught.value) is raised
