"""A shop of fourteen months with batches of every kind, as events and published KPIs."""

import random
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from zlib import crc32

from contracts.clock import to_rfc3339
from contracts.envelope import Message, parse
from contracts.messages import QuarantineReplay
from services.api.kpis.periods import Span
from services.api.operations.letters import Depth, Letter, letter_of
from services.api.questions.domain import compare, explain, list_waiting
from services.api.views.domain import VIEW, partition_of
from services.api.views.models import BatchView
from services.api.views.reading import newest_publication
from tests.contract.builders import a_body, a_document, an_envelope, an_example
from tests.unit.api.harness import ApiHarness
from tests.unit.api.kpi_items import Order, published

FIRST, LAST = date(2024, 6, 1), date(2025, 7, 31)
NOW = datetime(2025, 7, 31, 12, 4, 30, tzinfo=UTC)
ODD = date(2025, 7, 22)
"""Half of its orders never came."""
MISSING = {date(2025, 7, 13), date(2025, 5, 1)}
CATEGORIES = {
    "Books": 1900, "Electronics": 18900, "Garden": 4200, "Kitchen": 3600, "Music": 1450,
    "Sports": 5200, "Toys": 2300, "Clothing": 3900,
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"'\u202e=cmd|'/c calc'!A1\x07" + "long" * 25


LOCK = "lock/ecommerce-pipeline-lock"
OWNERS = {
    "batch": "aggregator", "file-set": "aggregator", "lock": "lock", "validation": "validator",
    "transformation": "transformer", "archive": "archiver", "kpi-anomaly": "guard",
}  # fmt: skip
HEADER = ["order_id", "user_id", "order_date", "total_amount", "status"]
REPLAY = f"replay-{'5' * 32}"


def an_id(name: str) -> str:
    """As batches have them."""
    return sha256(name.encode()).hexdigest()[:16]


DONE, FAILED, REJECTED, RUNNING, WAITING = map(
    an_id, ("done", "failed", "rejected", "running", "waiting")
)


def orders(hostile: str = HOSTILE) -> list[Order]:
    """Some thousand orders; weekends and December are better days."""
    chance = random.Random(7)
    found = []
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=n)
        if day in MISSING:
            continue
        many = (
            14 + 6 * (day.weekday() >= 5) + 8 * (day.month == 12) + n // 60 + chance.randint(-4, 5)
        )
        for order in range(many):
            names = chance.sample(sorted(CATEGORIES), chance.choice((1, 1, 2)))
            lines = tuple((one, int(CATEGORIES[one] * chance.uniform(0.6, 1.7))) for one in names)
            user = "" if chance.random() < 0.05 else f"u{chance.randint(1, 900)}"
            is_returned = chance.random() < 0.06
            if day != ODD or order % 2:
                found.append(Order(day, user, is_returned, lines))
    found.append(Order(date(2025, 7, 30), "u1", is_returned=False, lines=((hostile, 4200),)))
    return found


class Told:
    """Events at seconds of a day, each in its place in its stream."""

    def __init__(self, began: datetime) -> None:
        self.messages: list[Message] = []
        self._began, self._versions = began, dict[str, int]()

    def say(self, event_type: str, stream: str, second: float, **told: Any) -> "Told":
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        when = self._began + timedelta(seconds=second)
        if stream == LOCK:  # one stream for all batches: its places go with time
            version = int(when.timestamp())
        at = to_rfc3339(when)
        place = crc32(f"{stream} {version} {at}".encode())
        self.messages.append(
            parse(
                an_envelope(
                    event_type,
                    event_id=f"0199f0a2-7d6e-7c3a-8a7f-{place:012x}",
                    stream_id=stream,
                    stream_version=version,
                    occurred_at=at,
                    source=f"ecommerce-pipeline/{OWNERS[stream.partition('/')[0]]}",
                    correlation_id=told.get("batch_id"),
                    data=an_example(event_type, **told),
                )
            )
        )
        return self


def a_batch(batch_id: str, began: datetime, files: list[dict[str, Any]]) -> Told:
    """Sealed, started, with the lock, and its files checked."""
    of = {"batch_id": batch_id}
    told = Told(began)
    told.say(
        "BatchSealed", f"batch/{batch_id}", 0, **of, file_count=len(files), size_bytes=48_211_004
    )
    told.say("BatchStarted", f"batch/{batch_id}", 0.4, **of)
    lease = to_rfc3339(began + timedelta(minutes=15))
    told.say("LockGranted", LOCK, 3.1, **of, fence=7, lease_until=lease)
    for index, file in enumerate(files):
        kind = "FileRejected" if "rule" in file else "FileValidated"
        told.say(
            kind,
            f"validation/{batch_id}/{index:04d}",
            6 + 2 * index,
            **of,
            file_index=index,
            **file,
        )
    return told


def published_batch(batch_id: str, began: datetime, files: list[dict[str, Any]]) -> Told:
    """To its end."""
    of = {"batch_id": batch_id}
    facts = f"transformation/{batch_id}"
    told = a_batch(batch_id, began, files)
    told.say("TransformStarted", facts, 14, **of, engine="duckdb", epoch=3)
    told.say("FactsPublished", facts, 21.5, **of, epoch=3)
    told.say(
        "KpisPublished", facts, 24, **of, affected_days=2, first_day="2025-07-30",
        last_day="2025-07-31", order_kpis=2, category_kpis=16,
    )  # fmt: skip
    told.say("BatchArchived", f"archive/{batch_id}", 27, **of)
    return told.say("BatchCompleted", f"batch/{batch_id}", 27.6, **of, remark=None)


def a_file(key: str, rows_in: int, quarantined: int = 0, duplicates: int = 0) -> dict[str, Any]:
    """What a verdict tells of a file."""
    return {
        "key": key,
        "kind": key.partition("/")[0],
        "rows_in": rows_in,
        "accepted": rows_in - quarantined - duplicates,
        "quarantined": quarantined,
        "duplicates": duplicates,
    }


def some_files(tag: str, quarantined: int = 0) -> list[dict[str, Any]]:
    """Orders, lines and products, all healthy but for some rows of the orders."""
    return [
        a_file(f"orders/2025-07-{tag}.csv", 1204, quarantined, 3),
        a_file(f"order_items/2025-07-{tag}.csv", 3911),
        a_file(f"products/{tag}.csv", 240),
    ]


def everything(hostile: str = HOSTILE) -> list[Message]:
    """Batches of every kind, and files that were left out."""
    messages: list[Message] = []
    for n in range(12):
        began = NOW - timedelta(days=12 - n, hours=2)
        files = some_files(f"{n + 10}", n % 3)
        messages += published_batch(an_id(str(n)), began, files).messages
    files = [*some_files("30", 17), a_file(f"orders/{hostile}.csv", 10, 4)]
    messages += published_batch(DONE, NOW - timedelta(hours=5), files).messages
    stories = (a_failed(), a_rejected(), a_running(), a_waiting(), left_out(hostile))
    for told in (*stories, odd_number()):
        messages += told.messages
    return messages


def a_failed() -> Told:
    """Amid the transformation."""
    told = a_batch(FAILED, NOW - timedelta(hours=4), some_files("30b"))
    facts, of = f"transformation/{FAILED}", {"batch_id": FAILED}
    told.say("TransformStarted", facts, 15, **of, engine="spark")
    reason = "Spark is out of memory; ecp redrive finishes it"
    return told.say("BatchFailed", f"batch/{FAILED}", 44, **of, reason=reason)


def a_rejected() -> Told:
    """For the header of one file."""
    refused = {
        "key": "orders/2025-07-31.xls.csv",
        "kind": "orders",
        "rule": "file.header",
        "reason": "the header lacks order_date",
    }
    told = a_batch(REJECTED, NOW - timedelta(hours=3), [refused, *some_files("31")[1:]])
    of = {"batch_id": REJECTED, "reason": "1 of 3 files rejected"}
    return told.say("BatchRejected", f"batch/{REJECTED}", 20, **of)


def a_running() -> Told:
    """It transforms now."""
    told = a_batch(RUNNING, NOW - timedelta(seconds=14), some_files("31"))
    of = {"batch_id": RUNNING, "engine": "duckdb"}
    return told.say("TransformStarted", f"transformation/{RUNNING}", 11, **of)


def a_waiting() -> Told:
    """It waits for the one that runs."""
    told, of = Told(NOW - timedelta(seconds=8)), {"batch_id": WAITING}
    told.say("BatchSealed", f"batch/{WAITING}", 0, **of, file_count=4)
    told.say("BatchStarted", f"batch/{WAITING}", 1, **of)
    return told.say("LockQueued", LOCK, 2, **of, position=1)


def odd_number() -> Told:
    """What the guard says of the day of which half is lost."""
    numbers = {"value": 628.51, "expected": 1480.0, "lowest": 1002.5, "highest": 2186.0}
    of = {"series": "revenue", "category": None, "order_date": str(ODD), "published_by": DONE}
    told = Told(NOW - timedelta(hours=9))
    return told.say("KpiAnomalyDetected", f"kpi-anomaly/{ODD}", 1, **of, **numbers, score=-4.2)


def left_out(hostile: str) -> Told:
    """What came and does not count, and what came last of each source."""
    told, stream = Told(NOW - timedelta(days=1)), "file-set/ecommerce-data-bucket/9"
    place = {"bucket": "ecommerce-data-bucket", "version_id": "v1"}
    ignored = [
        ("order/2025-07-31.csv", "no folder that inputs come in", "orders/2025-07-31.csv"),
        (f"notes/{hostile}", "not a CSV file", None),
    ]
    for key, reason, meant in ignored:
        told.say("FileIgnored", stream, 1, **place, key=key, reason=reason, did_you_mean=meant)
    reason = "a newer version came before the batch was sealed"
    old = {**place, "key": "orders/2025-07-29.csv", "by_version_id": "v2", "reason": reason}
    told.say("FileSuperseded", stream, 3, **old)
    for key in ("orders/31.csv", "order_items/31.csv", "incoming/my-shop/31.csv"):
        told.say("FileDetected", stream, 4, **place, key=key, last_modified=None)
    return told


def bad_rows(count: int, name: str) -> list[dict[str, Any]]:
    """Orders with a day that there is not, a bad amount, and one that is no record at all."""
    found = []
    for n in range(count):
        line = 40 + 31 * n
        if n % 3 == 0:
            raw = f"{9100 + n},{name},2025-02-30,{20 + n}.00,completed"
            fault = ("order_date", "order_date.format", "order_date '2025-02-30' is not a date")
        elif n % 3 == 1:
            raw = f"{9100 + n},u{n},2025-07-30,12.x,completed"
            fault = ("total_amount", "total_amount.format", "total_amount '12.x' is not an amount")
        else:
            raw = f'{9100 + n},"u{n},2025-07-30,14.00,completed'
            fault = ("", "record.quote", f"a quote is opened in line {line} and never closed")
        told = {"column": fault[0] or None, "rule": fault[1], "message": fault[2], "raw": raw}
        row = {"kind": "orders", "line": line, "version_id": "v1", "header": HEADER}
        found.append({**row, **told})
    return found


def why(item: dict[str, Any], name: str) -> dict[str, Any]:
    """What the transformer says of an item of the KPI tables."""
    category = item.get("category")
    names = ("daily_revenue", "avg_order_value") if category else ("total_revenue", "total_orders")
    line = {
        "batch_id": DONE, "key": "order_items/2025-07-30.csv", "product_id": "p-17",
        "quantity": 2, "unit_price": "9.50", "line_amount": "19.00",
    }  # fmt: skip
    file = {
        "kind": "order_items", "batch_id": DONE, "key": f"order_items/{name}.csv",
        "rows": 28, "orders": 22, "quantity": 41, "amount": "1145.76",
    }  # fmt: skip
    return {
        "question_id": explain(item, "tests").question_id,
        "explained_at": to_rfc3339(NOW),
        "order_date": item["order_date"],
        "category": category,
        "measures": [
            {"name": one, "published": str(item[one]), "recomputed": str(item[one])}
            for one in names
        ],
        "equal": True,
        "published_by": DONE,
        "published_epoch": 3,
        "published_at": to_rfc3339(NOW),
        "in_work": None,
        "snapshots": {},
        "contributions": [file],
        "lines": [{**line, "line": 2 + n, "order_id": f"{1001 + n}"} for n in range(12)],
        "lines_left_out": 16,
    }


def a_difference(api: ApiHarness, name: str) -> dict[str, Any]:
    """What the transformer says that the batch DONE changed."""
    question = compare(BatchView(**batch_view_of(api, DONE)), "tests")
    day = {"order_date": "2025-07-30", "orders_added": 21, "orders_restated": 3, "lines_added": 40}
    measures = {
        None: [("total_revenue", "812.00", "1145.76"), ("total_orders", "19", "22")],
        name: [("daily_revenue", None, "42.00"), ("avg_return_rate", None, "0.0000")],
        "Toys": [("daily_revenue", "12.00", None), ("avg_order_value", "12.00", None)],
    }
    kpis = [
        {
            "order_date": "2025-07-30",
            "category": category,
            "measures": [{"name": n, "before": b, "after": a} for n, b, a in found],
        }
        for category, found in measures.items()
    ]
    days = [day, {"order_date": None, "lines_added": 2}]
    told = {"question_id": question.question_id, "batch_id": DONE, "days": days, "kpis": kpis}
    return a_document("BatchDifference", **told)


def what_waits(api: ApiHarness, name: str) -> dict[str, Any]:
    """What the transformer says that waits."""
    newest = newest_publication(api.views)
    assert newest is not None
    file = {"batch_id": DONE, "key": f"order_items/{name}.csv", "line": 12, "lines": 3}
    alike = [{"id": "00100", "differs_in": "leading zeros"}]
    orders = [
        {"id": f"100{name}", "lines": 3, "files": [file], "files_left_out": 0, "alike": alike},
        {
            "id": "101",
            "lines": 1,
            "files": [{**file, "lines": 1}],
            "files_left_out": 2,
            "alike": [],
        },
    ]
    question_id = list_waiting(newest, "tests").question_id
    return a_document("WaitingLines", question_id=question_id, order_lines=4, orders=orders)


def batch_view_of(api: ApiHarness, batch_id: str) -> dict[str, Any]:
    """As the views have it."""
    found = api.views.get(partition_of(batch_id), VIEW)
    assert found is not None
    return found


def letters(name: str) -> list[Letter]:
    """Of a batch that failed, one that is no message of ours, one that SQS would not take."""
    command = a_body("ValidateFile", task_token="secret-token", correlation_id=FAILED)
    bodies = [(command, f"the file {name} is gone"), ("{broken <b>", "no JSON"), ("\x07", None)]
    return [
        letter_of(
            {
                "MessageId": f"0000{n}-letter",
                "Body": body,
                "ReceiptHandle": f"r{n}",
                "Attributes": {"SentTimestamp": "1753963200000", "ApproximateReceiveCount": "3"},
                "MessageAttributes": {"reason": {"StringValue": reason}} if reason else {},
            },
            "validator-commands-dlq",
        )
        for n, (body, reason) in enumerate(bodies)
    ]


def a_replay(name: str) -> QuarantineReplay:
    """A row that was corrected, and one that stays out."""
    said = a_document("QuarantineReplay")
    [row], [upload] = said["rows"], said["uploads"]
    refused = {**row, "line": 71, "verdict": "refused", "message": f"{name} was stated again"}
    fields = {**upload["fields"], "order_id": name}
    return QuarantineReplay.model_validate(
        {
            **said,
            "replay_id": REPLAY,
            "batch_id": DONE,
            "rows": [row, refused],
            "uploads": [{**upload, "fields": fields}],
        }
    )


def a_shop(*, is_hostile: bool = True) -> ApiHarness:
    """The API with all of it, and a name that means harm."""
    name = HOSTILE if is_hostile else "Handmade"
    api = ApiHarness(clock=lambda: NOW)
    api.hear(*everything(name))
    api.kpis.order_items, api.kpis.category_items = published(orders(name))
    rows = {(an_id(str(n)), 0): bad_rows(n % 3, name) for n in range(12)}
    api.others.quarantined = {**rows, (DONE, 0): bad_rows(17, name), (DONE, 3): bad_rows(4, name)}
    api.corrects.answers[REPLAY] = a_replay(name)
    for item in (api.kpis.order_items[str(LAST)], *api.kpis.category("Books", Span(LAST, LAST))):
        answer = why(item, name)
        api.others.answers[answer["question_id"]] = answer
    for document in (a_difference(api, name), what_waits(api, name)):
        api.others.answers[document["question_id"]] = document
    api.queues.counted = [
        Depth("aggregator-files", 0, 0), Depth("validator-commands", 4, 0),
        Depth("transformer-commands", 0, 1), Depth("lock-commands", 0, 0),
    ]  # fmt: skip
    api.queues.dead = {
        "validator-commands-dlq": letters(name), "lock-commands-dlq": [], "event-relay-dlq": [],
    }  # fmt: skip
    return api
