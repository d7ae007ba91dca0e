"""The api on doubles: views and KPIs in dictionaries, questions as the gateway hands them on."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

from contracts.clock import Clock
from contracts.envelope import Message, parse
from contracts.messages import (
    ObjectRef,
    QuarantineCorrections,
    QuarantineReplay,
    ReplayAnswers,
)
from contracts.schemas import find
from services.api.adapters import Page
from services.api.http.app import make_app, make_operations_app
from services.api.http.callers import Caller
from services.api.http.ports import Ports
from services.api.kpis.periods import Span
from services.api.operations.letters import Depth, Letter
from services.api.operations.ports import OperationsPorts
from services.api.questions.domain import Command
from services.api.use_cases import Intake
from services.api.views.domain import ViewItem, partition_of
from tests.contract.builders import BATCH, an_envelope, an_example

TODAY = datetime(2025, 7, 31, 12, tzinfo=UTC)
HERE = "http://127.0.0.1:4566"
OPERATE = "ecommerce-pipeline/operate"
AWS_CALLER = {"iam": {"userArn": "arn:aws:iam::000000000000:user/analyst"}}


class InMemoryViews:
    """PipelineViews in a dictionary."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], ViewItem] = {}

    def put(self, view_items: Iterable[ViewItem]) -> None:
        for one in view_items:
            there = self.items.get((one.pk, one.sk))
            if there is None or there.rank < one.rank:
                self.items[one.pk, one.sk] = one

    def events_of(self, batch_id: str) -> list[Message]:
        return [parse(dict(body)) for body in self.page(partition_of(batch_id), "event#").bodies]

    def get(self, pk: str, sk: str) -> dict[str, Any] | None:
        one = self.items.get((pk, sk))
        return None if one is None else dict(one.body)

    def page(
        self,
        pk: str,
        beginning: str,
        position: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Page:
        after = position["sk"] if position else ""
        found = sorted(
            sk
            for its_pk, sk in self.items
            if its_pk == pk and sk.startswith(beginning) and sk > after
        )
        chosen = found[:limit]
        more = {"pk": pk, "sk": chosen[-1]} if len(found) > len(chosen) else None
        return Page([dict(self.items[pk, sk].body) for sk in chosen], more)

    def between(
        self,
        pk: str,
        first: str,
        last: str,
        position: Mapping[str, str] | None,
        limit: int | None,
    ) -> Page:
        after = position["sk"] if position else ""
        found = sorted(
            sk for its_pk, sk in self.items if its_pk == pk and first <= sk <= last and sk > after
        )
        chosen = found[:limit]
        more = {"pk": pk, "sk": chosen[-1]} if len(found) > len(chosen) else None
        return Page([dict(self.items[pk, sk].body) for sk in chosen], more)

    def newest(self, listed: str, position: Mapping[str, str] | None, limit: int) -> Page:
        found = sorted(
            (one for one in self.items.values() if one.listed == listed and one.at),
            key=lambda one: str(one.at),
            reverse=True,
        )
        if position:
            found = [one for one in found if str(one.at) < position["at"]]
        chosen = found[:limit]
        last = chosen[-1] if len(found) > len(chosen) else None
        place = {"pk": last.pk, "sk": last.sk, "at": str(last.at), "list": listed} if last else None
        return Page([dict(one.body) for one in chosen], place)


@dataclass
class InMemoryKpis:
    """Published items by (category or none, day), and how they were asked for."""

    order_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    category_items: list[dict[str, Any]] = field(default_factory=list)

    def orders(self, days: Iterable[date]) -> list[dict[str, Any]]:
        wanted = sorted({str(day) for day in days})
        return [self.order_items[day] for day in wanted if day in self.order_items]

    def category(self, name: str, span: Span) -> list[dict[str, Any]]:
        days = {str(day) for day in span.dates()}
        return [
            item
            for item in sorted(self.category_items, key=lambda one: one["order_date"])
            if item["category"] == name and item["order_date"] in days
        ]

    def categories(self, days: Iterable[date]) -> list[dict[str, Any]]:
        wanted = {str(day) for day in days}
        return [item for item in self.category_items if item["order_date"] in wanted]


@dataclass
class InMemoryOthers:
    """What was asked of others, their answers, and quarantined rows by batch and file."""

    asked: list[Command] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    quarantined: dict[tuple[str, int], list[dict[str, Any]] | Exception] = field(
        default_factory=dict
    )

    def answer(self, question_id: str) -> dict[str, Any] | None:
        return self.answers.get(question_id)

    def ask(self, command: Command) -> None:
        self.asked.append(command)

    def rows(
        self, batch_id: str, file_index: int, first: int, limit: int
    ) -> list[dict[str, Any]] | None:
        found = self.quarantined.get((batch_id, file_index))
        if isinstance(found, Exception):
            raise found
        return None if found is None else found[first : first + limit]


@dataclass
class InMemoryQueues:
    """Queues and their dead letters by name, and what was done to these."""

    counted: list[Depth] = field(default_factory=list)
    dead: dict[str, list[Letter]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str, str]] = field(default_factory=list)

    def depths(self) -> list[Depth]:
        dead = [Depth(name, len(letters), 0) for name, letters in self.dead.items()]
        return [*self.counted, *dead]

    def letters(self, queue: str) -> list[Letter] | None:
        found = self.dead.get(queue)
        return None if found is None else list(found)

    def is_there(self, queue: str) -> bool:
        return queue in self.dead

    def can_send_back(self, queue: str) -> bool:
        return queue.removesuffix("-dlq") in {one.name for one in self.counted}

    def send_back(self, queue: str, message_id: str | None) -> tuple[list[Letter], list[Letter]]:
        if not self.can_send_back(queue):
            return [], []
        chosen = [one for one in self.dead[queue] if message_id in (None, one.message_id)]
        sent = [one for one in chosen if one.can_be_sent]
        self.dead[queue] = [one for one in self.dead[queue] if one not in sent]
        self.sent += [one.message_id for one in sent]
        return sent, [one for one in chosen if one not in sent]

    def drop(self, queue: str, message_id: str, who: str, why: str) -> str | None:
        chosen = [one for one in self.dead[queue] if one.message_id == message_id]
        if not chosen:
            return None
        self.dead[queue].remove(chosen[0])
        self.dropped.append((message_id, who, why))
        return f"dropped-letters/{queue}/{message_id}.json"


@dataclass
class InMemoryCorrects:
    """What was asked of the validator, by replay, what it says, and what replays answer by key."""

    asked: dict[str, tuple[QuarantineCorrections, bool, str]] = field(default_factory=dict)
    answers: dict[str, QuarantineReplay] = field(default_factory=dict)
    says: Callable[[str, QuarantineCorrections, bool], QuarantineReplay] | None = None
    linked: dict[str, ReplayAnswers] = field(default_factory=dict)
    times_asked: int = 0

    def answer(self, replay_id: str) -> QuarantineReplay | None:
        return self.answers.get(replay_id)

    def await_answer(self, replay_id: str) -> QuarantineReplay | None:
        if self.says is not None and replay_id in self.asked:
            rows, dry_run, _ = self.asked[replay_id]
            self.answers[replay_id] = self.says(replay_id, rows, dry_run)
        return self.answer(replay_id)

    def was_asked(self, replay_id: str) -> bool:
        return replay_id in self.asked

    def ask(
        self, replay_id: str, rows: QuarantineCorrections, *, dry_run: bool, requested_by: str
    ) -> None:
        self.asked[replay_id] = (rows, dry_run, requested_by)
        self.times_asked += 1

    def links(self, ref: ObjectRef) -> ReplayAnswers | None:
        return self.linked.get(ref.key)

    def form_key(self, day: str) -> bytes:
        return f"key of {day}".encode()


@dataclass
class Answer:
    """What the gateway gets."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def a_question(path: str, headers: Mapping[str, str] | None = None, **query: Any) -> dict[str, Any]:
    """An event of an HTTP API, payload 2.0."""
    text = urlencode({name.rstrip("_"): value for name, value in query.items()})
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": text,
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "queryStringParameters": {k.rstrip("_"): str(v) for k, v in query.items()},
        "requestContext": {
            "stage": "$default",
            "requestId": "r-1",
            "http": {"method": "GET", "path": path, "sourceIp": "127.0.0.1"},
        },
        "isBase64Encoded": False,
    }


class ApiHarness:
    """Events in, questions answered."""

    def __init__(
        self,
        endpoint: str = HERE,
        scope: str = "",
        clock: Clock = lambda: TODAY,
        correct_scope: str = "",
        correctors: str = "",
    ) -> None:
        self.views, self.kpis = InMemoryViews(), InMemoryKpis()
        self.others = InMemoryOthers()
        openapi = '{"openapi": "3.1.0"}'
        self.corrects = InMemoryCorrects()
        ports = Ports(self.views, self.kpis, clock, lambda: openapi, self.others, self.corrects)
        self.app = make_app(ports, Caller(scope, endpoint, correct_scope, correctors))
        self.queues = InMemoryQueues()
        self.operations = make_operations_app(
            OperationsPorts(self.views, self.queues, clock), Caller(scope, endpoint), OPERATE
        )

    def ask(self, path: str, headers: Mapping[str, str] | None = None, **query: Any) -> Answer:
        return self.handle(a_question(path, headers, **query))

    def post(
        self, path: str, body: str, media_type: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """As a program, or a browser, sends something."""
        event = a_question(path, {"Content-Type": media_type, **(headers or {})})
        event["requestContext"]["http"]["method"] = "POST"
        return self.handle({**event, "body": body})

    def handle(self, event: dict[str, Any]) -> Answer:
        said = self.resolve(event)
        body = said["body"]
        content = b64decode(body) if said["isBase64Encoded"] else body.encode()
        return Answer(said["statusCode"], said["headers"], content)

    def resolve(self, event: dict[str, Any]) -> dict[str, Any]:
        """By the function that the gateway would ask."""
        is_operations = event["rawPath"].startswith("/console/operations")
        return (self.operations if is_operations else self.app).resolve(event, None)

    def hear(self, *messages: Message) -> None:
        """As one delivery of the queue."""
        intake = Intake(self.views)
        for message in messages:
            intake.take(message)
        intake.show()


def a_document(name: str) -> dict[str, Any]:
    """The example of a document's schema."""
    found: dict[str, Any] = deepcopy(find("documents", name, 1).document["examples"][0])
    return found


def an_event(
    event_type: str, stream_id: str, version: int, second: int = 0, **data: Any
) -> Message:
    """An event of BATCH, by default the schema's example."""
    return parse(
        an_envelope(
            event_type,
            event_id=f"0199f0a2-7d6e-7c3a-8a7f-{crc32(stream_id.encode()) + version:012x}",
            stream_id=stream_id,
            stream_version=version,
            occurred_at=f"2025-07-07T12:{second // 60:02d}:{second % 60:02d}.000Z",
            data=an_example(event_type, **data),
        )
    )


def counts(rows_in: int, accepted: int, quarantined: int, duplicates: int) -> dict[str, int]:
    return {
        "rows_in": rows_in,
        "accepted": accepted,
        "quarantined": quarantined,
        "duplicates": duplicates,
    }


def a_life(batch_id: str = BATCH) -> list[Message]:
    """A batch of two files that failed once, was run again and ended well."""
    life, first, second, facts, lock = (
        f"batch/{batch_id}",
        f"validation/{batch_id}/0000",
        f"validation/{batch_id}/0001",
        f"transformation/{batch_id}",
        "lock/ecommerce-pipeline-lock",
    )
    of = {"batch_id": batch_id}
    granted = 9 if batch_id == BATCH else 19
    orders = {**of, "file_index": 0, "key": "orders/a.csv", "kind": "orders"}
    lines = {**of, "file_index": 1, "key": "incoming/my-shop/b.csv", "kind": "order_items"}
    return [
        an_event("BatchSealed", life, 1, 0, **of, file_count=2),
        an_event("BatchStarted", life, 2, 1, **of),
        an_event("LockQueued", lock, granted - 2, 1, **of, position=2),
        an_event("LockGranted", lock, granted, 2, **of),
        an_event(
            "FileValidated", first, 1, 3, **orders, **counts(10, 1, 9, 0)
        ),
        an_event("BatchFailed", life, 3, 4, **of, reason="Spark is out of memory"),
        an_event("BatchRedriven", life, 4, 5, **of, attempt=1),
        an_event("BatchStarted", life, 5, 6, **of),
        an_event(
            "FileValidated", first, 2, 7, **orders, **counts(10, 7, 2, 1)
        ),
        an_event(
            "FileValidated", second, 1, 8, **lines, **counts(20, 18, 0, 0)
        ),
        an_event("TransformStarted", facts, 1, 9, **of, engine="duckdb", epoch=3),
        an_event(
            "KpisPublished", facts, 3, 10, **of, affected_days=2, first_day="2025-07-01",
            last_day="2025-07-02", order_kpis=2, category_kpis=4,
        ),
        an_event("BatchCompleted", life, 6, 11, **of),
        an_event("QuarantineDismissed", life, 7, 12, **of, key="orders/a.csv", lines=[4]),
    ]  # fmt: skip
