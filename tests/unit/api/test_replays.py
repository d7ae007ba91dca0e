"""Corrected rows over HTTP: who may, what is asked of the validator, and once only."""

import json
from dataclasses import replace
from typing import Any

import pytest

from contracts.messages import QuarantineCorrections, QuarantineReplay
from tests.contract.builders import BATCH
from tests.unit.api.harness import ApiHarness, a_document, a_life, a_question

PLACE = "/quarantine/replays"
FIELDS = {"order_id": "7", "order_date": "2025-07-07", "total_amount": "1.00"}
ROW = {
    "batch_id": BATCH, "key": "orders/a.csv", "version_id": "v1", "line": 3, "kind": "orders",
    "fields": FIELDS,
}  # fmt: skip
ON_AWS = "https://example.test"


def a_body(**changed: Any) -> str:
    return json.dumps({"rows": [ROW], "dry_run": True, **changed})


def a_replay(replay_id: str, **told: Any) -> QuarantineReplay:
    example = {**a_document("QuarantineReplay"), "replay_id": replay_id, **told}
    return QuarantineReplay.model_validate(example)


@pytest.fixture
def api() -> ApiHarness:
    api = ApiHarness()
    api.hear(*a_life())
    return api


def test_rows_are_asked_of_the_validator_and_answered_when_it_has_said(api: ApiHarness) -> None:
    first = api.post(PLACE, a_body(), "application/json")
    [(replay_id, (rows, dry_run, _))] = api.corrects.asked.items()
    assert (first.status, first.json["replay_id"], dry_run) == (202, replay_id, True)
    assert rows == QuarantineCorrections.model_validate({"rows": [ROW]})
    assert api.ask(f"{PLACE}/{replay_id}").status == 202

    api.corrects.answers[replay_id] = a_replay(replay_id)
    again = api.post(PLACE, a_body(), "application/json")
    assert (again.status, again.json["outcome"]) == (200, "uploaded")
    assert api.ask(f"{PLACE}/{replay_id}").json == again.json
    assert api.corrects.times_asked == 1


def test_the_same_rows_are_one_replay_and_others_another(api: ApiHarness) -> None:
    bodies = [
        *(a_body(), a_body(), a_body(dry_run=False), a_body(request="again")),
        a_body(rows=[{**ROW, "fields": {**FIELDS, "total_amount": "2.00"}}]),
    ]
    ids = [api.post(PLACE, body, "application/json").json["replay_id"] for body in bodies]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_what_waited_for_a_batch_is_asked_for_again(api: ApiHarness) -> None:
    replay_id = api.post(PLACE, a_body(), "application/json").json["replay_id"]
    api.corrects.answers[replay_id] = a_replay(replay_id, outcome="waits", batch_id=None)
    assert api.post(PLACE, a_body(), "application/json").json["outcome"] == "waits"
    assert api.corrects.times_asked == 2


@pytest.mark.parametrize(
    ("body", "media_type", "headers", "status"),
    [
        ("{", "application/json", {}, 422),
        ("[]", "application/json", {}, 422),
        (a_body(rows=[]), "application/json", {}, 422),
        (a_body(rows=[{**ROW, "line": 0}]), "application/json", {}, 422),
        (a_body(rows=[{**ROW, "fields": {"colour": "red"}}]), "application/json", {}, 422),
        (a_body(), "text/plain", {}, 415),
        (a_body(), "application/json", {"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_what_cannot_be_is_refused_and_not_asked(
    api: ApiHarness, body: str, media_type: str, headers: dict[str, str], status: int
) -> None:
    answer = api.post(PLACE, body, media_type, headers)
    assert (answer.status, api.corrects.times_asked) == (status, 0)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_what_nobody_asked_for_is_not_there(api: ApiHarness) -> None:
    assert api.ask(f"{PLACE}/replay-{'0' * 32}").status == 404
    wrong = api.ask(PLACE)
    assert (wrong.status, wrong.headers["Allow"]) == (405, "POST")


ROLE = "arn:aws:sts::000000000000:assumed-role/shop-owner/ann"
USER = "arn:aws:iam::000000000000:user/analyst"
IAM, TOKEN = {"userArn": ROLE}, {"claims": {"sub": "ann"}, "scopes": ["read"]}


@pytest.mark.parametrize(
    ("authorizer", "correctors", "status"),
    [
        ({}, "*", 401),
        ({"iam": IAM}, "", 403),
        ({"iam": {"userArn": USER}}, "arn:aws:sts::*:assumed-role/shop-owner/*", 403),
        ({"iam": IAM}, "arn:x, arn:aws:sts::*:assumed-role/shop-owner/*", 202),
        ({"jwt": TOKEN}, "*", 403),
        ({"jwt": {**TOKEN, "scopes": ["read", "correct"]}}, "", 202),
        ({"jwt": {**TOKEN, "scopes": ["correct"]}}, "", 403),
    ],
)
def test_who_may_read_may_not_correct_unless_it_is_said(
    authorizer: dict[str, Any], correctors: str, status: int
) -> None:
    api = ApiHarness(ON_AWS, "read", correct_scope="correct", correctors=correctors)
    event = a_question(PLACE, {"Content-Type": "application/json"})
    event["requestContext"]["http"]["method"] = "POST"
    event["requestContext"]["authorizer"] = authorizer
    answer = api.handle({**event, "body": a_body()})
    assert (answer.status, api.corrects.times_asked) == (status, int(status == 202))


def test_without_a_scope_no_token_corrects() -> None:
    api = ApiHarness(ON_AWS)
    event = a_question(PLACE, {"Content-Type": "application/json"})
    event["requestContext"] |= {"authorizer": {"jwt": {"claims": {"scope": " "}}}}
    event["requestContext"]["http"]["method"] = "POST"
    assert api.handle({**event, "body": a_body()}).status == 403


def test_a_sealed_batch_that_answers_rows_is_listed_with_what_it_answers() -> None:
    api = ApiHarness()
    ref = {
        "bucket": "b",
        "key": "quarantine/answers/x.json",
        "version_id": "v1",
        "sha256": "0" * 64,
    }
    sealed, *rest = a_life()
    api.hear(replace(sealed, data=sealed.data.model_copy(update={"answers": None})), *rest)
    assert api.views.newest("replays", None, 9).bodies == []
    api = ApiHarness()
    told = type(sealed.data).model_validate({**sealed.data.model_dump(), "answers": ref})
    api.hear(replace(sealed, data=told), *rest)
    [body] = api.views.newest("replays", None, 9).bodies
    assert (body["batch_id"], body["status"], body["answers"]) == (BATCH, "COMPLETED", ref)
