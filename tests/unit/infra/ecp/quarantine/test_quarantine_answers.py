"""Replays and results of batches are found in S3 as long as they have not expired."""

from typing import Any

import pytest

from contracts.errors import PipelineError
from contracts.layout import replay_answers_key
from contracts.messages import ObjectRef
from infra.ecp.names import STATE_TABLE
from infra.ecp.quarantine.originals import Headers
from services.runtime.quarantine.replays import RowId
from services.runtime.storage import items
from services.runtime.storage.documents import S3ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired
from services.validator.quarantine.stored import read_replays
from tests.contract.builders import BATCH, OTHER_BATCH

BUCKET, ARCHIVE = "ecommerce-data-bucket", "ecommerce-archive-bucket"
SEALED = "2025-07-07T12:00:00.000Z"
ROW = {
    "batch_id": BATCH,
    "key": "orders/a.csv",
    "version_id": "v1",
    "line": 7,
    "replay_key": "orders/replays/1.csv",
    "replay_line": 2,
    "identity": ["1"],
}


@pytest.fixture
def s3(aws: Any) -> Any:
    client = aws("s3")
    for bucket in (BUCKET, ARCHIVE):
        client.create_bucket(Bucket=bucket)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture
def dynamodb(aws: Any) -> Any:
    client = aws("dynamodb")
    names = ("pk", "HASH"), ("sk", "RANGE")
    client.create_table(
        TableName=STATE_TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in names],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


def put_batch(dynamodb: Any, batch_id: str, answers: ObjectRef | None) -> None:
    item: dict[str, Any] = {
        "pk": {"S": "batches"},
        "sk": {"S": f"{SEALED}#{batch_id}"},
        "batch_id": {"S": batch_id},
        "status": {"S": "COMPLETED"},
        "sealed_at": {"S": SEALED},
    }
    if answers is not None:
        item["answers"] = {"M": {k: {"S": v} for k, v in answers.model_dump().items()}}
    dynamodb.put_item(TableName=STATE_TABLE, Item=item)


def test_answers_are_those_of_the_batches_that_carry_some(s3: Any, dynamodb: Any) -> None:
    objects = S3ObjectStore(s3)
    ref = objects.put_json(BUCKET, replay_answers_key("1"), {"rows": [ROW]})
    put_batch(dynamodb, BATCH, None)
    put_batch(dynamodb, OTHER_BATCH, ref)

    batches = items.query(dynamodb, STATE_TABLE, {"pk": "batches"})
    found = read_replays(s3, batches, objects, BUCKET)

    row = RowId(BATCH, "orders/a.csv", "v1", 7)
    assert found == {row: (OTHER_BATCH, "COMPLETED", SEALED, ("1",))}
    s3.delete_object(Bucket=BUCKET, Key=ref.key)
    assert read_replays(s3, batches, objects, BUCKET) == {}


def test_an_expired_document_is_none_and_any_other_fault_travels(s3: Any) -> None:
    objects = S3ObjectStore(s3)
    ref = objects.put_json(BUCKET, "processing/b/result.json", {"a": 1})
    assert read_unless_expired(objects, ref) == {"a": 1}
    s3.delete_object(Bucket=BUCKET, Key=ref.key, VersionId=ref.version_id)
    assert read_unless_expired(objects, ref) is None
    with pytest.raises(PipelineError):
        read_unless_expired(objects, ref.model_copy(update={"bucket": "no-such-bucket"}))


def test_the_header_of_an_input_is_found_wherever_the_file_is_now(s3: Any) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="orders/a.csv", Body=b"b,a\n1,2\n")["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="orders/a.csv", Body=b"newer\n")
    assert Headers(s3, BUCKET, ARCHIVE).of(BATCH, "orders/a.csv", version) == ("b", "a")
    s3.put_object(Bucket=ARCHIVE, Key=f"archive/{BATCH}/orders/a.csv", Body=b"x,y\n")
    assert Headers(s3, BUCKET, ARCHIVE).of(BATCH, "orders/a.csv", version) == ("x", "y")
    assert Headers(s3, BUCKET, ARCHIVE).of(BATCH, "orders/gone.csv", version) is None
