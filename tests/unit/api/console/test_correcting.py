"""Rows corrected on their page: forms, who may send them, and what the page says of the answer."""

from typing import Any
from urllib.parse import urlencode

import pytest

from contracts.messages import ObjectRef, QuarantineCorrections, QuarantineReplay, ReplayAnswers
from services.api.corrections.forms import NotOurForm, check_form, token_for
from tests.console import pages
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.unit.api.harness import HERE, TODAY, ApiHarness, a_document, a_life, an_event

PAGE = f"/console/batches/{BATCH}/files/0"
FORM = "application/x-www-form-urlencoded"
HEADER = ["order_id", "user_id", "order_date", "total_amount", "status"]
HOST = {"Host": "127.0.0.1:4566", "Origin": "http://127.0.0.1:4566"}


def a_row(line: int, raw: str, **told: Any) -> dict[str, Any]:
    return {
        "kind": "orders", "line": line, "column": "order_date", "rule": "order_date.format",
        "message": "order_date '1' is not a date", "raw": raw, "version_id": "v1",
        "header": HEADER, **told,
    }  # fmt: skip


@pytest.fixture
def api() -> ApiHarness:
    api = ApiHarness()
    api.hear(*a_life())
    api.others.quarantined[BATCH, 0] = [
        a_row(2, "1,1,1,1,completed"),
        a_row(4, "4,u,2025-02-30,1.00,completed"),
        a_row(9, "9,u\u202e,2025-02-30,<b>1,completed"),
    ]
    return api


def form_of(api: ApiHarness, line: int, **changed: str) -> dict[str, str]:
    page = pages.read(api.ask(PAGE).text)
    form = page.one("form", aria_label=f"Line {line}")
    sent = {one.attributes["name"]: one.attributes["value"] for one in form.all("input")}
    return {**sent, "do": "dry-run", **{k.replace("__", "."): v for k, v in changed.items()}}


def send(api: ApiHarness, form: dict[str, str], headers: dict[str, str] | None = None) -> Any:
    path = f"{PAGE}/corrections"
    return api.post(path, urlencode(form), FORM, HOST if headers is None else headers)


def says(**told: Any) -> Any:
    def answer(replay_id: str, rows: QuarantineCorrections, dry_run: bool) -> QuarantineReplay:
        example = a_document("QuarantineReplay")
        said = {**example, "replay_id": replay_id, "dry_run": dry_run, **told}
        return QuarantineReplay.model_validate(said)

    return answer


def test_an_open_row_has_a_field_for_each_column_and_the_wrong_one_is_marked(
    api: ApiHarness,
) -> None:
    form = form_of(api, 2)
    assert [form[f"field.{name}"] for name in HEADER] == ["1", "1", "1", "1", "completed"]
    page = pages.read(api.ask(PAGE).text)
    [marked] = page.one("form", aria_label="Line 2").all("input", aria_invalid="true")
    assert marked.attributes["name"] == "field.order_date"
    [cell] = list(page.all("tr"))[1].all("mark")
    assert cell.text == "wrong: 1"  # the third of four cells that are alike: by the header


def test_a_cell_that_nobody_could_see_is_shown_as_text_and_typed_anew(api: ApiHarness) -> None:
    form = form_of(api, 9)
    assert (form["field.user_id"], form["field.total_amount"]) == ("", "<b>1")
    text = api.ask(PAGE).text
    assert "\u202e" not in text
    assert "u\\u202e" in text


def test_a_dismissed_row_and_an_answered_one_have_no_form(api: ApiHarness) -> None:
    page = pages.read(api.ask(PAGE).text)
    assert [one.attributes["aria-label"] for one in page.all("form")] == ["Line 2", "Line 9"]
    ref = ObjectRef(bucket="b", key="quarantine/answers/x.json", version_id="v1", sha256="0" * 64)
    of = {"batch_id": OTHER_BATCH}
    life = f"batch/{OTHER_BATCH}"
    answers = {"batch_id": BATCH, "key": "orders/a.csv", "version_id": "v1", "line": 2}
    example = a_document("ReplayAnswers")
    example["rows"][0] |= answers
    api.corrects.linked[ref.key] = ReplayAnswers.model_validate(example)
    api.hear(an_event("BatchSealed", life, 1, 20, **of, answers=ref.model_dump()))
    running = [*pages.read(api.ask(PAGE).text).all("tr")][1].text
    assert f"batch {OTHER_BATCH} brings it (sealed)" in running
    api.hear(an_event("BatchCompleted", life, 2, 21, **of))
    page = pages.read(api.ask(PAGE).text)
    assert [one.attributes["aria-label"] for one in page.all("form")] == ["Line 9"]
    assert f"answered by batch {OTHER_BATCH}" in [*page.all("tr")][1].text
    assert "given up by" in [*page.all("tr")][2].text


def test_a_dry_run_says_what_would_go_in_and_keeps_what_was_typed(api: ApiHarness) -> None:
    api.corrects.says = says(outcome="would_upload", batch_id=None)
    answer = send(api, form_of(api, 2, field__order_date="2025-07-07"))
    assert answer.status == 200
    page = pages.read(answer.text)
    assert "This would go in" in page.one(role="status").text
    [date_field] = page.all("input", name="field.order_date")
    assert date_field.attributes["value"] == "2025-07-07"
    [(rows, dry_run, _)] = api.corrects.asked.values()
    assert (rows.rows[0].fields["order_date"], rows.rows[0].line, dry_run) == (
        "2025-07-07",
        2,
        True,
    )


def test_a_replay_leads_to_its_batch_and_is_asked_for_once(api: ApiHarness) -> None:
    api.corrects.says = says(outcome="uploaded", batch_id=OTHER_BATCH)
    form = form_of(api, 2, field__order_date="2025-07-07", do="replay")
    first, again = send(api, form), send(api, form)
    assert (first.status, first.headers["Location"]) == (303, again.headers["Location"])
    assert api.corrects.times_asked == 1
    [replay_id] = api.corrects.answers
    page = pages.read(api.ask(f"/console/replays/{replay_id}").text)
    assert OTHER_BATCH in page.one("main").text


def test_a_refusal_is_said_and_another_try_is_another_form(api: ApiHarness) -> None:
    [row] = a_document("QuarantineReplay")["rows"]
    row |= {"verdict": "wrong", "message": "status <i>"}
    api.corrects.says = says(outcome="nothing", batch_id=None, rows=[row], uploads=[])
    form = form_of(api, 2, do="replay")
    page = pages.read(send(api, form).text)
    assert "Still wrong: status <i>" in page.one(role="status").text
    [token] = page.all("input", name="token")
    assert token.attributes["value"] != form["token"]


def test_what_is_not_answered_yet_is_sent_again_by_the_same_form(api: ApiHarness) -> None:
    form = form_of(api, 2)
    answer = send(api, form)
    [token] = pages.read(answer.text).all("input", name="token")
    assert (answer.status, token.attributes["value"]) == (202, form["token"])
    send(api, form)
    assert len(api.corrects.asked) == 1


@pytest.mark.parametrize(
    ("changed", "headers", "status"),
    [
        ({"token": ""}, HOST, 403),
        ({"token": f"{TODAY:%Y-%m-%d}.x.{'0' * 64}"}, HOST, 403),
        ({}, {**HOST, "Origin": "http://evil.test"}, 403),
        ({}, {**HOST, "Origin": "null"}, 403),
        ({}, {**HOST, "Sec-Fetch-Site": "same-site"}, 403),
        ({}, {}, 202),
        ({"line": "0"}, HOST, 400),
        ({"do": "erase"}, HOST, 400),
        ({"field.colour": "red"}, HOST, 400),
    ],
)
def test_a_form_that_is_not_ours_changes_nothing(
    api: ApiHarness, changed: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = send(api, {**form_of(api, 2), **changed}, headers)
    assert (answer.status, api.corrects.times_asked) == (status, int(status == 202))
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_token_is_of_one_caller_one_place_and_two_days() -> None:
    today = TODAY.date()

    def key_of(day: str) -> bytes:
        return day.encode()

    token = token_for(key_of, today, "ann", "/a")
    assert check_form(token, {}, key_of, today, "ann", "/a") in token
    wrong = [("bob", "/a", 0), ("ann", "/b", 0), ("ann", "/a", 2)]
    for caller, place, days in wrong:
        later = today.replace(day=today.day - days)
        with pytest.raises(NotOurForm):
            check_form(token, {}, key_of, later, caller, place)


def test_who_may_not_correct_is_told_and_gets_no_form() -> None:
    api = ApiHarness("https://aws.test")
    api.hear(*a_life())
    api.others.quarantined[BATCH, 0] = [a_row(2, "1,1,1,1,completed")]
    from tests.unit.api.harness import AWS_CALLER, a_question

    event = a_question(PAGE)
    event["requestContext"]["authorizer"] = AWS_CALLER
    page = pages.read(api.handle(event).text)
    assert list(page.all("form")) == []
    assert "You may not correct rows here" in page.one("main").text


def test_rows_of_a_batch_that_is_not_published_have_no_form() -> None:
    api = ApiHarness(HERE)
    api.hear(*a_life()[:6])
    api.others.quarantined[BATCH, 0] = [a_row(2, "1,1,1,1,completed")]
    page = pages.read(api.ask(PAGE).text)
    assert list(page.all("form")) == []
    assert "not published yet" in page.one("main").text
