"""ReplayQuarantine: one effect however often it is taken, nothing kept that names a user."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from contracts.errors import PipelineError, Refused
from contracts.identities import FileIdentity, batch_id_of
from contracts.layout import corrections_key, replay_key
from contracts.messages import ObjectRef, ObjectVersion, ReplayQuarantine
from services.runtime.quarantine.corrections import Correction
from services.runtime.storage.documents import S3ObjectStore
from services.runtime.storage.object_versions import S3Versions
from services.validator.quarantine import replaying
from services.validator.quarantine.current_rows import CurrentRow, Origin, Precedence
from services.validator.quarantine.replay_check import Verdict
from services.validator.quarantine.replay_decision import Decision, Stores
from services.validator.quarantine.replay_plan import FixedRow, PlacedRow, Plan, PlannedRow
from services.validator.quarantine.replaying import Replaying, replay_quarantine
from services.validator.quarantine.stored import running_batch
from services.validator.quarantine.uploads import ReplayUploads, manifest_key
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.support.moto_account import moto_account

pytestmark = pytest.mark.medium

BUCKET, NAME = "data", f"replay-{'a' * 32}"
NOW = datetime(2025, 7, 8, tzinfo=UTC)
FIELDS = {"order_id": "7", "user_id": "mallory", "order_date": "2025-07-07",
          "total_amount": "1.00", "status": "completed"}  # fmt: skip
ROW = {
    "batch_id": BATCH, "key": "orders/a.csv", "version_id": "v1", "line": 3, "kind": "orders",
    "fields": FIELDS,
}  # fmt: skip


class Cloud:
    """S3 by moto; what is decided and who runs is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        enabled = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
        self.objects = S3ObjectStore(self.s3)
        self.running: str | None = None
        self.state, self.message = "fixed", None
        self.decided = 0
        stores: Any = Stores(
            self.s3,
            None,
            None,
            self.objects,
            lambda: None,
            BUCKET,
            "state",  # type: ignore[arg-type]
        )
        self.ports = Replaying(
            stores, ReplayUploads(self.s3, BUCKET), S3Versions(self.s3, BUCKET), lambda: NOW
        )
        monkeypatch.setattr(replaying, "decide", self.decide)
        monkeypatch.setattr(replaying, "running_batch", lambda *_: self.running)

    def decide(self, _stores: Any, corrections: list[Correction], _checks: Any) -> Decision:
        self.decided += 1
        verdicts = tuple(Verdict(one, self.state, self.message) for one in corrections)  # type: ignore[arg-type]
        rows = [
            PlannedRow(one.fields, FixedRow(one, Precedence(5, 0, 3)))
            for one in corrections
            if self.state == "fixed"
        ]
        line = CurrentRow(("7", "p1"), BATCH, "order_items/a.csv", 2, 1, 100)
        origin = Origin(BATCH, "order_items/a.csv", 2)
        stands = PlannedRow(("7", "p1", "1", "1.00"), PlacedRow(line, origin, Precedence(5, 1, 2)))
        plans = [Plan("orders", tuple(rows), ())]
        plans += [Plan("order_items", (stands,), ())] if rows else []
        return Decision(tuple(plans), verdicts)

    def hand_in(self, rows: list[dict[str, Any]] | None = None) -> ObjectRef:
        document = {"rows": [ROW] if rows is None else rows}
        return self.objects.put_json(BUCKET, corrections_key(NAME), document)

    def ask(self, ref: ObjectRef, *, dry_run: bool = False) -> dict[str, Any]:
        command = ReplayQuarantine(
            replay_id=NAME, corrections=ref, dry_run=dry_run, requested_by="ann"
        )
        replay_quarantine(command, self.ports)
        return self.said()

    def said(self) -> dict[str, Any]:
        import json

        body = self.s3.get_object(Bucket=BUCKET, Key=replay_key(NAME))["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_object_versions(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"] for one in found.get("Versions", [])]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with moto_account():
        yield Cloud(monkeypatch)


def test_a_dry_run_uploads_nothing_and_says_what_would_be(cloud: Cloud) -> None:
    said = cloud.ask(cloud.hand_in(), dry_run=True)
    assert (said["outcome"], said["batch_id"]) == ("would_upload", None)
    assert [(one["kind"], one["corrects"]) for one in said["uploads"]] == [
        ("orders", True), ("order_items", False),
    ]  # fmt: skip
    assert cloud.keys("orders/") + cloud.keys("manifests/") + cloud.keys("quarantine/") == []


def test_a_replay_is_one_batch_with_what_it_answers(cloud: Cloud) -> None:
    said = cloud.ask(cloud.hand_in())
    files = [
        FileIdentity(BUCKET, key, cloud.s3.head_object(Bucket=BUCKET, Key=key)["VersionId"])
        for key in (f"orders/replays/{NAME}.csv", f"order_items/replays/{NAME}.csv")
    ]
    assert (said["outcome"], said["batch_id"]) == ("uploaded", batch_id_of(files))
    assert cloud.keys("quarantine/answers/") == [f"quarantine/answers/{NAME}.json"]
    order = cloud.s3.get_object(Bucket=BUCKET, Key=files[0].key)["Body"].read().decode()
    assert order.splitlines()[1].startswith("7,mallory,2025-07-07,1.00,completed")


def test_a_command_that_comes_again_changes_nothing(cloud: Cloud) -> None:
    ref = cloud.hand_in()
    first = cloud.ask(ref)
    assert cloud.ask(ref) == first
    assert (cloud.decided, cloud.keys("manifests/")) == (1, [manifest_key(NAME)])


def test_who_died_before_answering_is_finished_without_a_second_batch(cloud: Cloud) -> None:
    class Dead(Exception):
        pass

    ref = cloud.hand_in()
    put = cloud.objects.put_json

    def dies(bucket: str, key: str, document: Any) -> ObjectRef:
        if key == replay_key(NAME):
            raise Dead
        return put(bucket, key, document)

    cloud.objects.put_json = dies  # type: ignore[method-assign]
    with pytest.raises(Dead):
        cloud.ask(ref)
    cloud.objects.put_json = put  # type: ignore[method-assign]
    said = cloud.ask(ref)
    assert said["outcome"] == "uploaded"
    assert cloud.keys("manifests/") == [manifest_key(NAME)]
    assert len(cloud.keys("orders/replays/")) == 1


def test_of_two_side_by_side_the_first_manifest_stands(cloud: Cloud) -> None:
    first = cloud.ports.uploads.send(
        NAME, [], ObjectRef(bucket=BUCKET, key="k", version_id="v", sha256="0" * 64)
    )
    cloud.s3.put_object(Bucket=BUCKET, Key=manifest_key("other"), Body=b"{}")
    ref = ObjectRef(bucket=BUCKET, key="k2", version_id="v", sha256="0" * 64)
    assert cloud.ports.uploads.send(NAME, [], ref) == first
    assert len([key for key in cloud.keys("manifests/") if NAME in key]) == 1


def test_nothing_that_is_kept_names_the_user(cloud: Cloud) -> None:
    ref = cloud.hand_in()
    cloud.message = "user_id 'mallory' holds a control character"  # type: ignore[assignment]
    cloud.ask(ref, dry_run=True)
    text = cloud.s3.get_object(Bucket=BUCKET, Key=replay_key(NAME))["Body"].read().decode()
    assert "mallory" not in text
    assert "user_id holds a control character" in text
    assert cloud.keys(corrections_key(NAME)) == []


def test_a_replay_waits_for_a_batch_that_runs_and_a_dry_run_does_not(cloud: Cloud) -> None:
    cloud.running = OTHER_BATCH
    said = cloud.ask(cloud.hand_in())
    assert (said["outcome"], said["waits_for"]) == ("waits", OTHER_BATCH)
    assert cloud.keys("manifests/") == []
    assert cloud.ask(cloud.hand_in(), dry_run=True)["outcome"] == "would_upload"
    cloud.running = None
    assert cloud.ask(cloud.hand_in())["outcome"] == "uploaded"


def test_a_row_that_stays_out_uploads_nothing(cloud: Cloud) -> None:
    cloud.state, cloud.message = "refused", "it was stated again"  # type: ignore[assignment]
    said = cloud.ask(cloud.hand_in())
    assert (said["outcome"], said["rows"][0]["message"]) == ("nothing", "it was stated again")
    assert cloud.keys("manifests/") == []


@pytest.mark.parametrize("rows", [[ROW, ROW], [{**ROW, "fields": {"colour": "red"}}]])
def test_corrections_that_nobody_can_take_are_refused(
    cloud: Cloud, rows: list[dict[str, Any]]
) -> None:
    with pytest.raises(Refused):
        cloud.ask(cloud.hand_in(rows))


def test_a_fault_of_s3_is_no_answer(cloud: Cloud) -> None:
    ref = cloud.hand_in().model_copy(update={"bucket": "elsewhere"})
    with pytest.raises(PipelineError):
        cloud.ask(ref)
    cloud.ports.versions.delete(ObjectVersion(key="none", version_id="null", is_current=True))


def test_the_oldest_batch_that_has_not_ended_is_waited_for() -> None:
    with moto_account():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        dynamodb.create_table(
            TableName="state",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )

        def put(sk: str, status: str) -> None:
            item = {"pk": "batches", "sk": sk, "batch_id": f"b{sk}", "status": status}
            dynamodb.put_item(TableName="state", Item={k: {"S": v} for k, v in item.items()})

        put("1", "COMPLETED")
        put("4", "FAILED")
        assert running_batch(dynamodb, "state") is None
        put("2", "RUNNING")
        put("3", "SEALED")
        assert running_batch(dynamodb, "state") == "b2"
