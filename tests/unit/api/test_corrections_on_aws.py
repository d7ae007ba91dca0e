"""Corrections against moto: handed in and asked for once in a while, signed by one key a day."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from contracts.envelope import parse
from contracts.layout import corrections_key, replay_answers_key, replay_key
from contracts.messages import QuarantineCorrections
from services.api.corrections.adapters import Corrections
from services.runtime.storage.documents import S3ObjectStore
from tests.contract.builders import BATCH
from tests.support.moto_account import moto_account
from tests.unit.api.harness import a_document

NAME, BUCKET, VIEWS = f"replay-{'a' * 32}", "data", "PipelineViews"
ROWS = QuarantineCorrections.model_validate(a_document("QuarantineCorrections"))


class OnAws:
    """The adapter, its bucket, queue and table, and a clock that is set."""

    def __init__(self) -> None:
        names = ("s3", "sqs", "dynamodb")
        clients = {name: boto3.client(name, region_name="us-east-1") for name in names}
        self.s3, self.sqs = clients["s3"], clients["sqs"]
        self.s3.create_bucket(Bucket=BUCKET)
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
        self.queue_url = self.sqs.create_queue(QueueName="validator-commands")["QueueUrl"]
        keys = (("pk", "HASH"), ("sk", "RANGE"))
        clients["dynamodb"].create_table(
            TableName=VIEWS,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        self.now = datetime(2025, 7, 8, tzinfo=UTC)
        self.corrections = Corrections(
            clients,
            bucket=BUCKET,
            queue_url=self.queue_url,
            views_table=VIEWS,
            clock=lambda: self.now,
            new_id=lambda: "0199f0a2-7d6e-7c3a-8a7f-2f6f0d0c4a11",
        )

    def sent(self) -> list[Any]:
        answer = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [parse(one["Body"]) for one in answer.get("Messages", [])]


@pytest.fixture
def aws() -> Iterator[OnAws]:
    with moto_account():
        yield OnAws()


def test_a_command_names_the_rows_by_reference_and_no_user(aws: OnAws) -> None:
    assert not aws.corrections.was_asked(NAME)
    for _ in range(2):
        aws.corrections.ask(NAME, ROWS, dry_run=True, requested_by="ann")
    [message] = aws.sent()
    assert aws.corrections.was_asked(NAME)
    assert (message.event_type, message.data.dry_run) == ("ReplayQuarantine", True)
    assert "u1" not in message.to_json().replace(BATCH, "")
    assert message.data.corrections.key == corrections_key(NAME)
    handed_in = S3ObjectStore(aws.s3).get_json(message.data.corrections)
    assert QuarantineCorrections.model_validate(handed_in) == ROWS
    aws.now += timedelta(seconds=30)
    aws.corrections.ask(NAME, ROWS, dry_run=True, requested_by="ann")
    assert len(aws.sent()) == 1


def test_an_answer_is_there_when_it_is(aws: OnAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.corrections.adapters.WAIT_SECONDS", 0)
    assert aws.corrections.await_answer(NAME) is None
    body = json.dumps(a_document("QuarantineReplay")).encode()
    aws.s3.put_object(Bucket=BUCKET, Key=replay_key(NAME), Body=body)
    found = aws.corrections.await_answer(NAME)
    assert found is not None
    assert found.outcome == "uploaded"


def test_what_a_replay_answers_is_read_once_and_may_have_expired(aws: OnAws) -> None:
    ref = S3ObjectStore(aws.s3).put_json(
        BUCKET, replay_answers_key(NAME), a_document("ReplayAnswers")
    )
    found = aws.corrections.links(ref)
    assert found is not None
    aws.s3.delete_object(Bucket=BUCKET, Key=ref.key, VersionId=ref.version_id)
    assert aws.corrections.links(ref) == found
    gone = ref.model_copy(update={"version_id": "00000000-0000-0000-0000-000000000000"})
    assert aws.corrections.links(gone) is None


def test_a_day_has_one_key_whoever_asks_for_it(aws: OnAws) -> None:
    first = aws.corrections.form_key("2025-07-08")
    assert aws.corrections.form_key("2025-07-08") == first
    assert aws.corrections.form_key("2025-07-09") != first
    assert len(first) == 32
