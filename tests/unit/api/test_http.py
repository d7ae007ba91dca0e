"""Questions over HTTP: what is said of batches, of files, and of a question that is wrong."""

import io
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts.errors import Transient
from services.api.http.formats import PARQUET
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.unit.api.harness import AWS_CALLER, Answer, ApiHarness, a_life, a_question, an_event
from tests.unit.api.kpi_items import Order, published

AWS = ""
NAME = '=1+1 "quoted",\x07\u202e<b>'


@pytest.fixture
def api() -> ApiHarness:
    found = ApiHarness()
    found.hear(*a_life())
    return found


def is_problem(answer: Answer, status: int, *words: str) -> bool:
    """RFC 9457, 3: status of the answer and of the document, and what a person reads."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status, answer.json["status"]) == (status, status), answer.text
    assert answer.json["type"] == "about:blank"
    assert answer.json["title"]
    return all(word in answer.json["detail"] for word in words)


def test_a_batch_tells_its_events_in_order_page_by_page(api: ApiHarness) -> None:
    whole = api.ask(f"/batches/{BATCH}").json
    assert [one["event_type"] for one in whole["timeline"]][:4] == [
        "BatchSealed", "BatchStarted", "LockQueued", "LockGranted",
    ]  # fmt: skip
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.ask(f"/batches/{BATCH}", limit=3, **cursor).json
        found += page["timeline"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole["timeline"]


def test_the_files_of_a_batch_say_what_became_of_their_rows(api: ApiHarness) -> None:
    orders, lines = api.ask(f"/batches/{BATCH}/files").json["files"]
    assert (orders["source"], orders["rows_in"], orders["quarantined"]) == ("orders", 10, 2)
    assert (orders["dismissed"], orders["is_dismissed"]) == (1, False)
    assert (lines["source"], lines["left_out"]) == ("my-shop", 2)


def test_quarantine_lists_the_files_that_have_some(api: ApiHarness) -> None:
    rejected = an_event(
        "FileRejected", f"validation/{OTHER_BATCH}/0002", 1, 30, batch_id=OTHER_BATCH, file_index=2,
        key="products/p.csv", kind="products", rule="file.empty", reason="it has no rows",
    )  # fmt: skip
    api.hear(rejected)
    files = api.ask("/quarantine").json["files"]
    assert [(one["key"], one["status"], one["quarantined"]) for one in files] == [
        ("products/p.csv", "rejected", None),
        ("orders/a.csv", "accepted", 2),
    ]


def test_batches_come_newest_first_page_by_page(api: ApiHarness) -> None:
    later = an_event("BatchSealed", f"batch/{OTHER_BATCH}", 1, 50, batch_id=OTHER_BATCH)
    api.hear(later)
    first = api.ask("/batches", limit=1).json
    second = api.ask("/batches", limit=1, cursor=first["next"]).json
    found = [one["batch_id"] for page in (first, second) for one in page["batches"]]
    assert (found, second["next"]) == ([OTHER_BATCH, BATCH], None)


def test_sources_say_when_files_came_and_were_published(api: ApiHarness) -> None:
    place = {"bucket": "b", "version_id": "v1", "last_modified": None}
    api.hear(
        an_event("FileDetected", "file-set/b/1", 2, 40, key="incoming/my-shop/z.csv", **place),
        an_event("FileDetected", "file-set/b/1", 1, 20, key="incoming/my-shop/y.csv", **place),
    )
    found = {one["source"]: one for one in api.ask("/freshness").json["sources"]}
    assert found["my-shop"]["arrived_key"] == "incoming/my-shop/z.csv"
    assert found["my-shop"]["published_batch"] == BATCH
    assert found["orders"]["arrived_at"] is None


def test_without_a_span_it_ends_with_the_newest_published_day(api: ApiHarness) -> None:
    answer = api.ask("/kpis/orders").json
    assert (answer["first"], answer["last"]) == ("2025-06-03", "2025-07-02")


def test_health_says_how_far_the_views_have_come(api: ApiHarness) -> None:
    assert api.ask("/health").json == {
        "status": "ok",
        "newest_event_at": "2025-07-07T12:00:12.000Z",
    }


@pytest.mark.parametrize("path", ["/batches", f"/batches/{BATCH}", "/quarantine", "/freshness"])
def test_a_view_that_is_known_is_not_sent_again_until_it_changes(
    api: ApiHarness, path: str
) -> None:
    etag = {"If-None-Match": f'"other", W/{api.ask(path).headers["ETag"]}'}
    assert (api.ask(path, etag).status, api.ask(path, etag).text) == (304, "")
    life = f"batch/{BATCH}"
    everything = {"batch_id": BATCH, "key": "orders/a.csv", "lines": None}
    api.hear(
        an_event("QuarantineDismissed", life, 8, 70, **everything),
        an_event("FileDetected", "file-set/b/1", 2, 40, key="orders/z.csv", bucket="b"),
    )
    assert api.ask(path, etag).status == 200


@pytest.mark.parametrize(
    ("path", "query", "status", "words"),
    [
        ("/kpis/orders", {"from_": "2025-02-30"}, 422, ["from", "day"]),
        ("/kpis/orders", {"to": "20250701"}, 422, ["to: a day is written YYYY-MM-DD"]),
        ("/kpis/orders", {"by": "year"}, 422, ["by", "'month'"]),
        ("/kpis/orders", {"limit": "0"}, 422, ["limit"]),
        ("/kpis/orders", {"limit": "1001"}, 422, ["limit"]),
        ("/kpis/orders", {"form": "2025-07-01"}, 400, ["'form'", "from"]),
        ("/kpis/orders", {"from_": "2025-07-02", "to": "2025-07-01"}, 400, ["is after"]),
        ("/kpis/orders", {"from_": "2020-01-01", "to": "2025-07-01"}, 400, ["at most 731"]),
        ("/kpis/orders", {"to": "0001-01-01"}, 400, ["from 1972"]),
        ("/kpis/orders", {"from_": "9999-12-31", "to": "9999-12-31"}, 400, ["to 2199"]),
        ("/kpis/categories", {"from_": "2024-01-01", "to": "2025-07-01"}, 400, ["at most 366"]),
        ("/kpis/orders", {"cursor": "e30"}, 400, ["no such cursor"]),
        ("/batches", {"cursor": "\u00e4"}, 400, ["no such cursor"]),
        ("/batches/nope", {}, 422, ["batch_id"]),
        (f"/batches/{OTHER_BATCH}", {}, 404, [f"no batch {OTHER_BATCH}"]),
        (f"/batches/{OTHER_BATCH}/files", {}, 404, [f"no batch {OTHER_BATCH}"]),
        ("/kpis", {}, 404, ["/openapi.json"]),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_told_why(
    api: ApiHarness, path: str, query: dict[str, str], status: int, words: list[str]
) -> None:
    assert is_problem(api.ask(path, **query), status, *words)


def test_a_cursor_of_one_list_is_none_of_another(api: ApiHarness) -> None:
    api.hear(an_event("BatchSealed", f"batch/{OTHER_BATCH}", 1, 50, batch_id=OTHER_BATCH))
    cursor = api.ask("/batches", limit=1).json["next"]
    assert is_problem(api.ask("/quarantine", cursor=cursor), 400, "no such cursor")
    of_batch = api.ask(f"/batches/{BATCH}", limit=1).json["next"]
    assert is_problem(api.ask(f"/batches/{BATCH}/files", cursor=of_batch), 400, "no such cursor")


def test_what_is_not_asked_by_get_is_told_so(api: ApiHarness) -> None:
    event = a_question("/batches", limit=1)
    event["requestContext"]["http"]["method"] = "POST"
    answer = api.handle(event)
    assert is_problem(answer, 405, "GET", "POST")
    assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/csv, application/json;q=0.5", "text/csv; charset=utf-8; header=present"),
        ("text/html, text/*;q=0.2", "text/csv; charset=utf-8; header=present"),
        ("application/json;q=0.1, text/csv;q=0", "application/json"),
    ],
)
def test_it_answers_in_the_form_that_is_liked_best(
    api: ApiHarness, accept: str | None, expected: str
) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert api.ask("/kpis/orders", headers).headers["Content-Type"] == expected


def test_a_form_that_there_is_not_is_refused(api: ApiHarness) -> None:
    answer = api.ask("/kpis/orders", {"Accept": "application/xml"})
    assert is_problem(answer, 406, "application/xml", "text/csv")


def test_a_fault_of_ours_says_nothing_of_itself(
    api: ApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(api.views, "newest", fails)
    answer = api.ask("/batches")
    assert is_problem(answer, 500, "our fault")
    assert "hunter2" not in answer.text


def test_a_table_that_is_busy_is_to_be_asked_again(
    api: ApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> None:
        raise Transient("throttled")

    monkeypatch.setattr(api.views, "newest", busy)
    assert is_problem(api.ask("/batches"), 503, "ask again")


PATHS = ["/kpis/orders", "/batches", "/health", "/openapi.json", "/nope"]


@pytest.mark.parametrize("path", PATHS)
def test_on_aws_nobody_is_answered_whom_the_gateway_does_not_know(path: str) -> None:
    api = ApiHarness(endpoint=AWS, scope="read")
    assert is_problem(api.ask(path), 401, "sign")


@pytest.mark.parametrize(
    ("authorizer", "status"),
    [
        (AWS_CALLER, 200),
        ({"iam": {"userArn": ""}}, 401),
        ({"iam": None}, 401),
        ({"lambda": {"user": "anna"}}, 401),
        ({"jwt": {"claims": {"sub": "anna", "scope": "openid read"}, "scopes": None}}, 200),
        ({"jwt": {"claims": {"sub": "anna"}, "scopes": ["read"]}}, 200),
        ({"jwt": {"claims": {"sub": "anna", "scope": "write"}, "scopes": None}}, 403),
        ({"jwt": {"claims": {"sub": "anna", "scope": "reader"}, "scopes": []}}, 403),
        ({"jwt": {}}, 403),
    ],
)
def test_a_caller_is_let_in_by_signature_or_scope(authorizer: Any, status: int) -> None:
    api = ApiHarness(endpoint=AWS, scope="read")
    event = a_question("/health")
    event["requestContext"]["authorizer"] = authorizer
    assert api.handle(event).status == status


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        ("http://127.0.0.1:4566", 200),
        ("http://localhost:4566", 200),
        ("http://[::1]:4566", 200),
        ("http://10.0.0.7:4566", 401),
        ("http://127.0.0.1.example.org", 401),
        ("http://0.0.0.0:4566", 401),
        ("https://dynamodb.eu-central-1.amazonaws.com", 401),
        ("localhost", 401),
    ],
)
def test_only_a_cloud_on_this_very_machine_knows_no_callers(endpoint: str, status: int) -> None:
    assert ApiHarness(endpoint=endpoint).ask("/health").status == status


def test_kpis_come_as_parquet_with_the_types_of_their_columns() -> None:
    api = ApiHarness()
    orders = [
        Order(day, user, is_returned=returned, lines=((NAME, cents),))
        for day, user, returned, cents in (
            (date(2025, 7, 1), "u", True, 1250),
            (date(2025, 7, 1), "v", False, 999_999_999_999),
            (date(2025, 7, 2), "u", False, 1),
        )
    ]
    api.kpis.order_items, api.kpis.category_items = published(orders)
    span = {"from": "2025-07-01", "to": "2025-07-03"}

    answer = api.ask("/kpis/categories", {"Accept": PARQUET}, compare="previous", **span)
    table = pq.read_table(io.BytesIO(answer.content))

    assert answer.headers["Content-Type"] == PARQUET
    assert str(table.schema.field("daily_revenue").type) == "decimal128(38, 2)"
    rows = [
        (row["category"], row["order_date"], row["daily_revenue"], row["avg_return_rate"])
        for row in table.to_pylist()
    ]
    assert rows == [
        (NAME, date(2025, 7, 1), Decimal("10000000012.49"), Decimal("0.5000")),
        (NAME, date(2025, 7, 2), Decimal("0.01"), Decimal("0.0000")),
        (NAME, date(2025, 7, 3), Decimal("0.00"), Decimal("0.0000")),
    ]
    compared = [row["compared_daily_revenue"] for row in table.to_pylist()]
    assert compared == [None, Decimal("10000000012.49"), Decimal("0.01")]
    first = api.ask("/kpis/orders", format="parquet", limit=1, **span)
    assert pq.read_table(io.BytesIO(first.content)).num_rows == 1
    assert first.headers["X-Next-Cursor"]


def test_a_span_without_orders_is_a_parquet_file_without_rows() -> None:
    span = {"from": "2025-07-01", "to": "2025-07-03"}
    answer = ApiHarness().ask("/kpis/orders", format="parquet", **span)
    table = pq.read_table(io.BytesIO(answer.content))
    assert (table.num_rows, str(table.schema.field("order_date").type)) == (0, "date32[day]")
