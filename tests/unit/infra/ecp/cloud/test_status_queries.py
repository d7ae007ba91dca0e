"""Lock, open set, batches and dead letters, as `ecp status --json` gives them."""

import re
from datetime import timedelta
from typing import Any

from contracts.clock import new_event_id
from contracts.envelope import MessageContext
from contracts.identities import FileIdentity
from contracts.messages import FileDetected, FileIgnored, FilesReturned, FileSuperseded
from contracts.schemas import find
from infra.deployer.templates import discover
from infra.ecp.batches.left_out import read_left_out
from infra.ecp.batches.open_set import SETTLES, read_open_set
from infra.ecp.batches.queries import batch_holding, is_running, newest_batches
from infra.ecp.cloud.status_queries import Sources, read_status
from infra.ecp.lock.queries import describe_lock, read_lock
from infra.ecp.names import LOCK_ID, STATE_TABLE
from infra.environments import PROJECT
from services.aggregator.open_set.domain import stream_of
from services.aggregator.read_model import after, batch_writes, left_out_row, open_set_key, row_of
from services.api.operations.letters import dead_letters, is_dead_letter_queue
from services.lock.domain import Holder, Lock, Waiter
from services.lock.items import lock_item
from services.runtime.event_store import DynamoDBEventStore, InMemoryEventStore, StreamAppend
from services.runtime.storage.documents import InMemoryObjectStore, S3ObjectStore
from tests.contract.builders import BATCH, EXECUTION, OTHER_BATCH, an_example
from tests.unit.infra.batch_events import BEGAN, an_event
from tests.unit.infra.tables import create_table

BUCKET = "ecommerce-data-bucket"


def a_held_lock() -> Lock:
    holder = Holder(
        execution_id=EXECUTION,
        batch_id=BATCH,
        fence=7,
        granted_at="2025-07-07T12:00:00.000Z",
        lease_until="2025-07-07T12:15:00.000Z",
    )
    return Lock(LOCK_ID, 9, holder, (Waiter("arn:other", OTHER_BATCH),))


def test_a_lock_that_was_never_taken_is_free(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "ProcessingLockTable")
    lock = read_lock(dynamodb)
    assert (lock["lock_id"], lock["held"], lock["batch_id"]) == (LOCK_ID, False, None)


def test_a_held_lock_names_its_holder_and_who_waits_as_the_lock_service_writes_it(
    aws: Any,
) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "ProcessingLockTable", [lock_item(a_held_lock())])
    assert read_lock(dynamodb) == {
        "lock_id": LOCK_ID,
        "held": True,
        "currentlockcount": 1,
        "execution_id": EXECUTION,
        "batch_id": BATCH,
        "fence": 7,
        "granted_at": "2025-07-07T12:00:00.000Z",
        "lease_until": "2025-07-07T12:15:00.000Z",
        "waiters": [{"execution_id": "arn:other", "batch_id": OTHER_BATCH}],
    }


def test_a_free_lock_shows_nothing_of_an_earlier_holder() -> None:
    left_over = lock_item(a_held_lock()) | {"currentlockcount": 0}
    assert describe_lock(left_over)["execution_id"] is None


def a_store() -> InMemoryEventStore:
    return InMemoryEventStore(lambda: BEGAN, new_event_id, {STATE_TABLE: ("pk", "sk")})


def detect(store: InMemoryEventStore, *keys: str) -> None:
    events = [
        FileDetected(**an_example("FileDetected", key=key, kind=key.split("/")[0])) for key in keys
    ]
    append = StreamAppend(stream_of(BUCKET, 1), 0, events)
    store.append(append, context=MessageContext("ecommerce-pipeline/aggregator"))


def test_an_empty_open_set_waits_for_nothing() -> None:
    store = a_store()
    found = read_open_set(store, store, BUCKET)
    assert (found["set_number"], found["files"], found["waiting_for"]) == (1, [], [])
    assert found["waiting_since"] is None


def test_the_open_set_names_its_files_and_what_is_missing() -> None:
    store = a_store()
    detect(store, "orders/a.csv")
    found = read_open_set(store, store, BUCKET)
    assert [file["key"] for file in found["files"]] == ["orders/a.csv"]
    assert found["waiting_since"] == "2025-07-07T12:00:00.000Z"
    assert found["waiting_for"] == ["order_items", "products"]


def test_a_set_that_has_all_it_needs_waits_for_a_quiet_moment() -> None:
    store = a_store()
    detect(store, "orders/a.csv", "order_items/a.csv", "products/a.csv")
    assert read_open_set(store, store, BUCKET)["waiting_for"] == [SETTLES]


def test_dead_letters_are_counted_per_queue_of_the_pipeline_and_of_no_other(aws: Any) -> None:
    sqs = aws("sqs")
    urls = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("lock-commands-dlq", "event-relay-dlq", "lock-commands", "invoices-dlq")
    }
    for name in ("lock-commands-dlq", "lock-commands", "invoices-dlq"):
        sqs.send_message(QueueUrl=urls[name], MessageBody="x")
    assert dead_letters(sqs) == {"event-relay-dlq": 0, "lock-commands-dlq": 1}


def test_every_dead_letter_queue_of_the_templates_is_counted() -> None:
    bodies = "".join(template.body for template in discover(PROJECT))
    queues = re.findall(r"QueueName: !Sub \$\{StagePrefix\}([\w-]+-dlq)\b", bodies)
    assert len(queues) > 5
    assert [name for name in queues if not is_dead_letter_queue(name)] == []


def rows_of(batch_id: str, sealed_at: str, *later: str) -> list[dict[str, Any]]:
    """The items of AggregatorState that the aggregator writes for a batch."""
    events = [an_event(name, batch_id=batch_id).data for name in ("BatchSealed", *later)]
    row = row_of(events[:1], 1, sealed_at)
    for event in events[1:]:
        row = after(row, event, sealed_at)
    writes = batch_writes(STATE_TABLE, row)
    return [dict(write.item) for write in writes if hasattr(write, "item")]


def some_batches() -> list[dict[str, Any]]:
    return [
        *rows_of(BATCH, "2025-07-07T12:00:00.000Z", "BatchStarted", "BatchCompleted"),
        *rows_of(OTHER_BATCH, "2025-07-08T12:00:00.000Z", "BatchStarted"),
    ]


def test_the_newest_batch_comes_first_without_table_keys(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    create_table(dynamodb, "AggregatorState", some_batches())
    found = newest_batches(dynamodb, limit=10)
    assert [batch["batch_id"] for batch in found] == [OTHER_BATCH, BATCH]
    assert [is_running(batch) for batch in found] == [True, False]
    assert not {"pk", "sk"} & found[0].keys()
    assert [batch["batch_id"] for batch in newest_batches(dynamodb, limit=1)] == [OTHER_BATCH]


def test_status_is_one_document_with_everything_in_it(aws: Any) -> None:
    dynamodb, sqs = aws("dynamodb"), aws("sqs")
    create_table(dynamodb, "AggregatorState", some_batches())
    create_table(dynamodb, "ProcessingLockTable", [lock_item(a_held_lock())])
    create_table(dynamodb, "EventStore")
    store = DynamoDBEventStore(dynamodb, "EventStore", lambda: BEGAN, new_event_id)
    s3 = aws("s3")
    s3.create_bucket(Bucket=BUCKET)
    stepfunctions = aws("stepfunctions")
    sources = Sources(dynamodb, sqs, stepfunctions, store, S3ObjectStore(s3), BUCKET)
    status = read_status(sources, BEGAN)
    assert status.keys() == {
        "lock",
        "open_set",
        "running",
        "last_batches",
        "dead_letters",
        "left_out",
    }
    assert [batch["batch_id"] for batch in status["running"]] == [OTHER_BATCH]
    [completed] = status["last_batches"]
    assert (completed["status"], completed["published"]) == ("COMPLETED", True)
    assert (completed["rows"], completed["duration_seconds"]) == (None, 0.0)


def test_the_open_set_is_read_where_the_aggregator_names_it(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    pointer = open_set_key(BUCKET) | {"set_number": 4, "products_known": True}
    create_table(dynamodb, "AggregatorState", [pointer])
    create_table(dynamodb, "EventStore")
    store = DynamoDBEventStore(dynamodb, "EventStore", lambda: BEGAN, new_event_id)
    assert read_open_set(store, store, BUCKET)["set_number"] == 4


def test_the_batch_that_holds_files_is_found_by_its_pinned_versions() -> None:
    store, objects = a_store(), InMemoryObjectStore()
    document = find("documents", "BatchManifest", 1).document["examples"][0]
    manifest = objects.put_json(BUCKET, "manifest", document)
    sealed = an_event("BatchSealed", manifest=manifest.model_dump()).data
    store.append(StreamAppend(f"batch/{BATCH}", 0, [sealed]), context=MessageContext("s"))
    mine = FileIdentity(BUCKET, "orders/1.csv", "v1")
    candidates = [OTHER_BATCH, BATCH]
    assert batch_holding([mine], candidates, store, objects) == BATCH
    newer = mine._replace(version_id="v2")
    assert batch_holding([mine, newer], candidates, store, objects) is None


def test_the_open_set_names_the_rejected_batches_that_wait_and_for_what(aws: Any) -> None:
    store = a_store()
    detect(store, "orders/b.csv")
    files = [an_example("FileDetected", key="products/1.csv", version_id="v7") | {"held_by": BATCH}]
    awaiting = [{"key": "orders/a.csv"}, {"key": "orders/b.csv"}]
    event = FilesReturned(batch_id=BATCH, files=files, awaiting_kinds=["orders"], awaiting=awaiting)
    store.append(StreamAppend(stream_of(BUCKET, 1), 1, [event]), context=MessageContext("test"))
    [held] = read_open_set(store, store, BUCKET)["held"]
    assert held == {
        "batch_id": BATCH,
        "awaiting": ["orders/a.csv"],
        "corrected": ["orders/b.csv"],
        "files": ["products/1.csv"],
    }


def test_what_is_left_out_is_read_newest_first_by_kind_and_since_a_day(aws: Any) -> None:
    dynamodb = aws("dynamodb")
    ignored = FileIgnored(**an_example("FileIgnored", key="order_item/1.csv"))
    superseded = FileSuperseded(**an_example("FileSuperseded"))
    rows = [
        left_out_row(event, BEGAN + timedelta(days=day))
        for day, event in enumerate((ignored, superseded, ignored))
    ]
    create_table(dynamodb, STATE_TABLE, rows)
    every = read_left_out(dynamodb)
    assert [row["what"] for row in every] == ["ignored", "superseded", "ignored"]
    assert every[0]["at"] > every[1]["at"] > every[2]["at"]
    assert "pk" not in every[0]
    since = BEGAN + timedelta(days=1)
    assert len(read_left_out(dynamodb, what=("ignored",), since=since)) == 1
    assert len(read_left_out(dynamodb, 2)) == 2
