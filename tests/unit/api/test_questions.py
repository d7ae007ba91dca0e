"""What is asked of others: why a number is what it is, and the rows that a file left behind."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.envelope import parse
from contracts.layout import explanation_key, quarantined_rows_key
from contracts.messages import ExplainKpi
from services.api.questions import adapters
from services.api.questions.adapters import Questions
from services.api.questions.domain import explain
from services.api.questions.ports import TooLarge
from tests.contract.builders import BATCH, a_document
from tests.support.moto_account import moto_account
from tests.unit.api.harness import ApiHarness, a_life, an_event

DAY = "2025-07-01"
BUCKET = "data"
NAME = '<img src=x onerror="x">\u202e'


def published(**fields: Any) -> dict[str, Any]:
    return {"order_date": DAY, "epoch": 3, "updated_at": "2025-07-02T00:00:00.000Z", **fields}


@pytest.fixture
def api() -> ApiHarness:
    api = ApiHarness()
    api.hear(*a_life())
    api.kpis.order_items[DAY] = published()
    api.kpis.category_items.append(published(category=NAME))
    return api


def an_answer(command: ExplainKpi) -> dict[str, Any]:
    return a_document("KpiExplanation", question_id=command.question_id, category=command.category)


@pytest.mark.parametrize("category", [None, NAME])
def test_why_is_asked_first_and_then_told(api: ApiHarness, category: str | None) -> None:
    query = {"order_date": DAY} | ({"category": category} if category else {})

    first = api.ask("/kpis/why", **query)
    [command] = api.others.asked
    api.others.answers[command.question_id] = an_answer(command)
    second = api.ask("/kpis/why", **query)

    assert (first.status, first.headers["Retry-After"]) == (202, "1")
    assert first.json == {"question_id": command.question_id, "status": "asked"}
    assert (command.order_date, command.category) == (DAY, category)
    assert second.status == 200
    assert second.json["category"] == category
    assert second.json["measures"][0]["published"] == 12.5
    assert api.ask("/kpis/why", {"If-None-Match": second.headers["ETag"]}, **query).status == 304


def test_a_number_that_is_published_anew_is_asked_anew(api: ApiHarness) -> None:
    api.ask("/kpis/why", order_date=DAY)
    [command] = api.others.asked
    api.others.answers[command.question_id] = an_answer(command)
    api.kpis.order_items[DAY] = published(epoch=4)

    assert api.ask("/kpis/why", order_date=DAY).status == 202
    assert len({one.question_id for one in api.others.asked}) == 2


def test_a_category_and_the_day_s_orders_are_different_questions() -> None:
    ids = {
        explain(item, "tests").question_id
        for item in (
            published(),
            published(category="Books"),
            published(category="books"),
            published(epoch=4),
            published(updated_at="2025-07-03T00:00:00.000Z"),
            published(order_date="2025-07-02"),
        )
    }
    assert len(ids) == 6


def test_what_is_not_published_has_no_why(api: ApiHarness) -> None:
    answer = api.ask("/kpis/why", order_date="2025-07-09")
    assert answer.status == 404
    assert "nothing of orders is published for 2025-07-09" in answer.json["detail"]
    assert api.ask("/kpis/why", order_date=DAY, category="Nobody's").status == 404
    assert api.others.asked == []


def a_row(line: int, **fields: Any) -> dict[str, Any]:
    return {
        "kind": "orders",
        "line": line,
        "column": "order_date",
        "rule": "order_date.format",
        "message": "'2025-02-30' is not a date",
        "raw": f"{line},{NAME}\x00,2025-02-30",
        "version_id": "v1",
        "header": [],
        **fields,
    }


def test_quarantined_rows_come_by_page(api: ApiHarness) -> None:
    rows = [a_row(2), a_row(4, column=None), a_row(9)]
    api.others.quarantined[BATCH, 0] = list(rows)
    path, found, cursor = f"/batches/{BATCH}/files/0/rows", [], None

    for _ in range(2):
        page = api.ask(path, limit=2, **({"cursor": cursor} if cursor else {})).json
        found += page["rows"]
        cursor = page["next"]

    assert cursor is None
    assert found == rows
    assert page["key"] == "orders/a.csv"


def test_a_file_without_quarantined_rows_has_none(api: ApiHarness) -> None:
    answer = api.ask(f"/batches/{BATCH}/files/1/rows")
    assert (answer.status, answer.json["rows"]) == (200, [])


def test_a_refused_file_shows_the_rows_for_which_it_was_refused(api: ApiHarness) -> None:
    refused = {"batch_id": BATCH, "file_index": 4, "key": "orders/z.csv", "kind": "orders"}
    api.hear(an_event("FileRejected", f"validation/{BATCH}/0004", 1, 20, **refused))
    path = f"/batches/{BATCH}/files/4/rows"
    assert api.ask(path).json["rows"] == []
    api.others.quarantined[BATCH, 4] = [a_row(2)]
    assert api.ask(path).json["rows"] == [a_row(2)]


def test_rows_that_are_not_there_are_told_as_such(api: ApiHarness) -> None:
    assert api.ask(f"/batches/{BATCH}/files/7/rows").status == 404
    gone = api.ask(f"/batches/{BATCH}/files/0/rows")
    assert (gone.status, "kept no longer" in gone.json["detail"]) == (404, True)
    api.others.quarantined[BATCH, 0] = TooLarge("too many")
    large = api.ask(f"/batches/{BATCH}/files/0/rows")
    assert (large.status, f"ecp quarantine export {BATCH}" in large.json["detail"]) == (413, True)


@pytest.mark.parametrize("row", ["-1", "x", "٣", "9" * 40])
def test_a_cursor_of_another_question_is_refused(api: ApiHarness, row: str) -> None:
    from services.api.http.paging import cursor_of

    path = f"/batches/{BATCH}/files/0/rows"
    assert api.ask(path, cursor=cursor_of({"row": row})).status == 400
    assert api.ask(path, cursor=cursor_of({"sk": "1"})).status == 400


class OnAws:
    """The adapter on moto, with a clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2025, 7, 8, 3, tzinfo=UTC)
        names = ("s3", "sqs", "dynamodb")
        self.clients = {name: boto3.client(name, region_name="us-east-1") for name in names}
        self.clients["s3"].create_bucket(Bucket=BUCKET)
        self.queue = self.clients["sqs"].create_queue(QueueName="transformer-commands")["QueueUrl"]
        self.clients["dynamodb"].create_table(
            TableName="PipelineViews",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        self.questions = Questions(
            self.clients,
            bucket=BUCKET,
            queue_url=self.queue,
            views_table="PipelineViews",
            clock=lambda: self.now,
            new_id=lambda: "0199f0a2-7d6e-7c3a-8a7f-000000000001",
        )

    def sent(self) -> list[Any]:
        answer = self.clients["sqs"].receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [parse(one["Body"]).data for one in answer.get("Messages", ())]

    def put(self, key: str, content: bytes) -> None:
        self.clients["s3"].put_object(Bucket=BUCKET, Key=key, Body=content)


@pytest.fixture
def aws() -> Any:
    with moto_account():
        yield OnAws()


def test_however_many_ask_one_message_a_minute_is_sent(aws: OnAws) -> None:
    command = explain(published(category=NAME), "tests")
    other = explain(published(), "tests")

    for _ in range(3):
        aws.questions.ask(command)
    aws.questions.ask(other)
    assert aws.sent() == [command, other]
    aws.now += timedelta(seconds=61)
    aws.questions.ask(command)
    assert aws.sent() == [command]


def test_an_answer_is_the_document_once_it_is_there(aws: OnAws) -> None:
    assert aws.questions.answer("why-1") is None
    aws.put(explanation_key("why-1"), b'{"equal": true}')
    assert aws.questions.answer("why-1") == {"equal": True}


def test_rows_are_read_from_parquet_by_line(aws: OnAws, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [a_row(line, batch_id=BATCH, contract="orders v1") for line in (9, 2, 5)]
    names = ["order_id", "user_id", "order_date"]
    table = pa.Table.from_pylist([{**row, "header": None} for row in rows]).drop(["header"])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"columns": json.dumps(names)})
    aws.put(quarantined_rows_key(BATCH, 3), sink.getvalue())

    found = aws.questions.rows(BATCH, 3, 1, 5)

    assert found == [a_row(5, header=names), a_row(9, header=names)]
    assert aws.questions.rows(BATCH, 4, 0, 5) is None
    monkeypatch.setattr(adapters, "MAX_PARQUET_BYTES", 10)
    with pytest.raises(TooLarge):
        aws.questions.rows(BATCH, 3, 0, 5)


def test_a_difference_is_asked_first_and_then_told(api: ApiHarness) -> None:
    first = api.ask(f"/batches/{BATCH}/difference")
    [command] = api.others.asked
    assert (first.status, command.batch_id) == (202, BATCH)
    told = {"question_id": command.question_id, "batch_id": BATCH}
    api.others.answers[command.question_id] = a_document("BatchDifference", **told)
    second = api.ask(f"/batches/{BATCH}/difference")
    assert second.status == 200
    assert second.json["days"][0]["orders_added"] == 3
    assert second.json["kpis"][0]["measures"][0] == {
        "name": "daily_revenue", "before": 12.5, "after": 15.0,
    }  # fmt: skip


def test_a_batch_that_published_nothing_has_changed_nothing(api: ApiHarness) -> None:
    other = "f" * 16
    api.hear(an_event("BatchSealed", f"batch/{other}", 1, 1, batch_id=other))
    assert api.ask(f"/batches/{other}/difference").status == 404
    assert api.ask(f"/batches/{'0' * 16}/difference").status == 404
    assert api.others.asked == []


def test_what_waits_is_asked_anew_after_each_publication(api: ApiHarness) -> None:
    assert ApiHarness().ask("/waiting").status == 404
    assert api.ask("/waiting").status == 202
    [command] = api.others.asked
    told = a_document("WaitingLines", question_id=command.question_id)
    api.others.answers[command.question_id] = told
    answer = api.ask("/waiting")
    assert (answer.status, answer.json["order_lines"]) == (200, 3)
    assert answer.json["orders"][0]["alike"] == [{"id": "00100", "differs_in": "leading zeros"}]
    api.hear(an_event("KpisPublished", "transformation/later", 1, 40, batch_id="e" * 16, epoch=9))
    assert api.ask("/waiting").status == 202
    assert len({one.question_id for one in api.others.asked}) == 2
