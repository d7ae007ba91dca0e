"""The aggregator on doubles: a bucket in memory, a clock that stands still until it is moved."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from contracts.clock import to_rfc3339
from contracts.envelope import Message
from contracts.errors import Transient
from contracts.identities import FileIdentity
from contracts.layout import SOURCES_PREFIX
from contracts.messages import CloseBatch, FileReport, ObjectRef, RedriveBatch, SealFileSet
from contracts.schemas import find
from services.aggregator.handler import aggregator_service
from services.aggregator.notifications import SnsNotification
from services.aggregator.open_set.completeness import missing
from services.aggregator.open_set.detection import (
    ListedVersion,
    Notification,
    Sighting,
    VersionPage,
)
from services.aggregator.open_set.domain import FileSet
from services.aggregator.open_set.loading import load
from services.aggregator.open_set.object_lookup import look_at_all
from services.aggregator.open_set.use_cases import take_in
from services.aggregator.ports import Ports
from services.runtime.event_store import InMemoryEventStore
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.storage.documents import InMemoryObjectStore
from tests.support.commands import saga_command
from tests.support.doubles import RecordedDeadLetters

BUCKET = "uploads"
TABLE = "AggregatorState"
SETTLE = timedelta(seconds=30)
OVERDUE = timedelta(hours=4)
MACHINE = "arn:aws:states:us-east-1:000000000000:execution:ecsJob"
FILES, COMMANDS, EVENTS = "aggregator-files", "aggregator-commands", "aggregator-events"


@dataclass
class Bucket:
    """Versions of objects, oldest first; keys in `unreachable` cannot be looked at."""

    versions_by_key: dict[str, list[tuple[Sighting, bytes]]] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    """Keys with a delete marker on top."""
    looks: int = 0
    page_size: int = 1000
    pages: int = 0
    """That were listed of inputs."""

    def look(self, notification: Notification) -> Sighting | None:
        self.looks += 1
        if notification.key in self.unreachable:
            raise Transient(f"{notification.key} is away")
        if notification.version_id is None and notification.key in self.hidden:
            return None
        found = [
            seen
            for seen, _ in self.versions_by_key.get(notification.key, [])
            if notification.version_id in (None, seen.version_id)
        ]
        return found[-1] if found else None

    def read(self, seen: Sighting) -> bytes | None:
        bodies = [body for one, body in self.versions_by_key.get(seen.key, []) if one == seen]
        return bodies[-1] if bodies else None

    def versions(self, _bucket: str, prefix: str, after: tuple[str, str] | None) -> VersionPage:
        self.pages += prefix != SOURCES_PREFIX
        found = [
            ListedVersion(
                key,
                str(seen.version_id),
                seen.last_modified,
                seen is self.versions_by_key[key][-1][0] and key not in self.hidden,
            )
            for key in sorted(self.versions_by_key)
            for seen, _ in reversed(self.versions_by_key[key])
            if key.startswith(prefix)
        ]
        start = 0 if after is None else [one.identity for one in found].index(after) + 1
        page = found[start : start + self.page_size]
        is_last = start + self.page_size >= len(found)
        return VersionPage(page, None if is_last else page[-1].identity)

    def gone(self, identities: Sequence[FileIdentity]) -> set[FileIdentity]:
        return {one for one in identities if self.look(Notification(*one)) is None}

    def delete(self, notification: Notification) -> None:
        """Delete exactly that version."""
        self.versions_by_key[notification.key] = [
            (seen, body)
            for seen, body in self.versions_by_key[notification.key]
            if seen.version_id != notification.version_id
        ]


@dataclass
class WrittenReports:
    reports: dict[int, FileReport] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def read(self, bucket: str, batch_id: str, indexes: Collection[int]) -> dict[int, FileReport]:
        self.asked.append((bucket, batch_id))
        return {index: self.reports[index] for index in indexes if index in self.reports}


@dataclass
class KnownExecutions:
    """Executions by name; they run until they are said to be over."""

    started: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    over: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, document: Mapping[str, object]) -> str:
        self.started.append((name, document))
        return f"{MACHINE}:{name}"

    def ended(self, execution_id: str) -> str | None:
        return self.over.get(execution_id)


@dataclass
class PlannedChecks:
    planned: list[tuple[str, int]] = field(default_factory=list)

    def send(self, bucket: str, delay_seconds: int) -> None:
        self.planned.append((bucket, delay_seconds))


@dataclass
class ToldPeople:
    notices: list[SnsNotification] = field(default_factory=list)

    def tell(self, notice: SnsNotification) -> None:
        self.notices.append(notice)


class BatchHarness:
    """The service, its doubles, and what a test does with them."""

    def __init__(self) -> None:
        self.now = datetime(2025, 7, 7, 12, tzinfo=UTC)
        self.ids = (str(UUID(int=number)) for number in count(1))
        self.store = InMemoryEventStore(
            lambda: self.now, lambda: next(self.ids), {TABLE: ("pk", "sk")}
        )
        self.documents = InMemoryObjectStore()
        self.bucket = Bucket()
        self.reports = WrittenReports()
        self.executions = KnownExecutions()
        self.checks = PlannedChecks()
        self.people = ToldPeople()
        self.answers = InMemoryTaskCallbacks()
        self.dead_letters = RecordedDeadLetters()
        self.numbers = count(1)
        self.relayed = 0
        self.restart()

    def restart(self) -> None:
        """A new process: it remembers nothing that is not stored."""
        self.ports = Ports(
            store=self.store,
            documents=self.documents,
            uploads=self.bucket,
            reports=self.reports,
            executions=self.executions,
            checks=self.checks,
            people=self.people,
            clock=lambda: self.now,
            table=TABLE,
            settle=SETTLE,
            overdue=OVERDUE,
        )
        self.service = aggregator_service(self.ports, self.answers, self.dead_letters)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def put(
        self,
        key: str,
        content: str = "",
        *,
        manifest_key: str | None = None,
        sha256: str | None = None,
    ) -> Notification:
        """Put an object a second after the last one; nobody is told yet."""
        self.wait(1)
        body = (content or f"content of {key} {self.now}").encode()
        seen = Sighting(
            bucket=BUCKET,
            key=key,
            version_id=f"v{next(self.numbers)}",
            size_bytes=len(body),
            etag=hashlib.md5(body).hexdigest(),  # noqa: S324
            last_modified=to_rfc3339(self.now),
            sha256=sha256,
            manifest_key=manifest_key,
        )
        self.bucket.versions_by_key.setdefault(key, []).append((seen, body))
        return Notification(BUCKET, key, seen.version_id)

    def put_manifest(self, name: str, files: Sequence[str | dict[str, str | None]]) -> Notification:
        return self.put(f"manifests/{name}.json", json.dumps({"files": files}))

    def notify(self, *notifications: Notification) -> None:
        """Have notifications taken in, all in one call."""
        uploads = [one for each in notifications for one in look_at_all(each, self.ports)]
        take_in(BUCKET, uploads, self.ports)

    def upload(self, *keys: str, **options: Any) -> list[Notification]:
        """Put objects and take their notifications in one by one."""
        notifications = [self.put(key, **options) for key in keys]
        for one in notifications:
            self.notify(one)
        return notifications

    def settle(self) -> None:
        """Let the settle time pass and have the delayed check arrive."""
        self.wait(SETTLE.total_seconds())
        assert self.deliver(FILES, json.dumps({"check": BUCKET})) == []

    def relay(self) -> None:
        """Bring every event that was stored since the last time to those who wait for it."""
        events = self.events()
        fresh, self.relayed = events[self.relayed :], len(events)
        for event in fresh:
            if event.event_type in ("BatchSealed", "BatchRedriven", "BatchOverdue"):
                assert self.deliver(EVENTS, on_the_bus(event)) == []

    def deliver(self, queue_name: str, *bodies: str) -> list[str]:
        """One Lambda call with these messages; the bodies of those that failed."""
        records = [
            {
                "messageId": str(number),
                "body": body,
                "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{queue_name}",
            }
            for number, body in enumerate(bodies)
        ]
        failures = self.service.handle_records({"Records": records})["batchItemFailures"]
        return [bodies[int(failure["itemIdentifier"])] for failure in failures]

    def command(self, command: BaseModel, token: str | None = None) -> Any:
        """Deliver a command; what its token was answered with."""
        message = saga_command(command, next(self.ids), to_rfc3339(self.now), token=token)
        assert self.deliver(COMMANDS, message.to_json()) == []
        return self.answers.succeeded.get(token or "")

    def seal_by_hand(self, file_key: str = "", execution: str = "manual", attempt: int = 0) -> Any:
        command = SealFileSet(
            bucket=BUCKET,
            file_key=file_key,
            execution_id=f"{MACHINE}:{execution}",
            attempt=attempt,
        )
        return self.command(command, token=f"{execution}-{attempt}-{next(self.numbers)}")

    def close(
        self, batch_id: str, outcome: str, *, rejected: Sequence[int] = (), reason: str = ""
    ) -> Any:
        """Close the batch as its execution does."""
        command = CloseBatch(
            batch_id=batch_id,
            execution_id=self.row(batch_id)["execution_id"],
            outcome=outcome,
            rejected_files=list(rejected),
            reason=reason,
            result=self.result(batch_id) if outcome == "COMPLETED" else None,
            attempt=0,
        )
        return self.command(command, token=f"close-{next(self.numbers)}")

    def result(self, batch_id: str) -> ObjectRef:
        [example] = an_example_document("BatchResult")
        document = example | {"batch_id": batch_id}
        return self.documents.put_json(BUCKET, f"processing/{batch_id}/result.json", document)

    def redrive(self, batch_id: str) -> None:
        self.command(RedriveBatch(batch_id=batch_id, requested_by="ops"))

    def sealed(self) -> list[dict[str, Any]]:
        """Rows of all batches, in order of sealing."""
        rows = self.store.query(TABLE, {"pk": "batches"})
        return sorted(rows, key=lambda row: int(row["set_number"]))

    def the_batch(self) -> dict[str, Any]:
        [row] = self.sealed()
        return row

    def row(self, batch_id: str) -> dict[str, Any]:
        row = self.store.get_item(TABLE, {"pk": f"batch#{batch_id}", "sk": "batch"})
        assert row is not None
        return row

    def manifest(self, batch_id: str) -> dict[str, Any]:
        document = self.documents.get_json(ObjectRef(**self.row(batch_id)["manifest"]))
        assert isinstance(document, dict)
        return document

    def keys_of(self, batch_id: str) -> list[str]:
        return [file["key"] for file in self.manifest(batch_id)["files"]]

    def open_set(self) -> FileSet:
        return load(BUCKET, self.ports).files

    def pending(self) -> list[str]:
        return sorted(identity.key for identity in self.open_set().files)

    def waits_for(self) -> list[str]:
        opened = load(BUCKET, self.ports)
        return missing(opened.files, products_known=opened.products_known, settle=SETTLE)

    def events(self) -> list[Message]:
        """Every event of the store, in the order of appending."""
        streams = [f"file-set/{BUCKET}/{number}" for number in range(1, 40)]
        streams += [f"batch/{row['batch_id']}" for row in self.sealed()]
        found = [message for stream in streams for message in self.store.read(stream)]
        return sorted(found, key=lambda message: message.event_id)

    def said(self, event_type: str) -> list[Any]:
        return [event.data for event in self.events() if event.event_type == event_type]

    def was_remembered(self, notification: Notification) -> bool:
        identity = FileIdentity(BUCKET, notification.key, notification.version_id or "")
        key = {"pk": f"file#{identity.bucket}#{identity.key}", "sk": identity.version_id}
        return self.store.get_item(TABLE, key) is not None


def an_example_document(name: str) -> list[dict[str, Any]]:
    return list(find("documents", name, 1).document["examples"])


def a_report(index: int, **changes: Any) -> FileReport:
    example, *_ = an_example_document("FileReport")
    return FileReport(**(example | {"file_index": index, "status": "rejected"} | changes))


def object_created(key: str, version_id: str | None = None, bucket: str = BUCKET) -> str:
    """S3's notification as EventBridge hands it to the queue; the key is not URL-encoded."""
    seen = {"key": key, "size": 1, "etag": "x"} | ({"version-id": version_id} if version_id else {})
    return json.dumps(
        {
            "id": "17793124-05d4-b198-2fde-7ededc63b103",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": seen, "reason": "PutObject"},
        }
    )


def status_change(execution_id: str, status: str, **detail: str) -> str:
    return json.dumps(
        {
            "id": "315c1398-40ff-a850-213b-158f73e60175",
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {"executionArn": execution_id, "status": status} | detail,
        }
    )


def on_the_bus(event: Message) -> str:
    envelope = event.to_dict()
    return json.dumps({"detail-type": event.event_type, "source": event.source, "detail": envelope})
