"""Lock, workers and dead letters in the console, and what is done about a letter there."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from contracts.clock import to_rfc3339
from services.api.http.callers import ON_THIS_MACHINE
from services.api.operations.domain import dead_letters, lock_advice, work
from services.api.operations.letters import Depth
from services.api.views.models import LockView, SignOfLife
from services.api.views.reading import lock_of
from tests.console.pages import Element, read, rows
from tests.console.shop import NOW, RUNNING, WAITING, a_shop
from tests.unit.api.harness import AWS_CALLER, OPERATE, Answer, ApiHarness, a_question, an_event

pytestmark = pytest.mark.medium

QUEUE = "validator-commands-dlq"
PLACE = f"/console/operations/dead-letters/{QUEUE}"
OURS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
LOCK = "lock/ecommerce-pipeline-lock"


def send(
    api: ApiHarness, path: str, headers: dict[str, str] | None = None, **fields: str
) -> Answer:
    event = a_question(path, OURS if headers is None else headers)
    event["requestContext"]["http"]["method"] = "POST"
    event["body"] = urlencode(fields)
    return api.handle(event)


def shown(api: ApiHarness, path: str) -> Element:
    answer = api.ask(path)
    assert answer.status == 200, answer.text
    return read(answer.text)


def section(found: Element, name: str) -> Element:
    return found.one("section", aria_labelledby=name)


def test_the_page_says_who_works_and_what_waits_for_nobody() -> None:
    found = shown(a_shop(), "/console/operations")
    [told] = section(found, "workers").all("table")
    by_service = {row[0]: row[1:] for row in rows(told)}
    assert list(by_service)[:4] == ["aggregator", "lock", "validator", "transformer"]
    assert by_service["validator"][0].startswith("waiting Nobody has taken these yet")
    assert by_service["validator"][1:3] == ["4", "0"]
    assert by_service["transformer"][:3] == ["at work", "0", "1"]
    assert by_service["aggregator"][0] == "idle"
    assert WAITING in section(found, "lock").text


def test_dead_letters_come_with_their_advice_and_those_that_hold_some_first() -> None:
    found = shown(a_shop(), "/console/operations")
    [told] = section(found, "dead").all("table")
    first, second, third = rows(told)
    assert first[:2] == [QUEUE, "3"]
    assert first[2].startswith("Do not send them back: nobody waits for the answer")
    assert (second[0], second[1], third[0]) == ("event-relay-dlq", "0", "lock-commands-dlq")


def test_a_letter_says_why_and_keeps_its_task_token() -> None:
    answer = a_shop().ask(PLACE)
    text = read(answer.text).one("main").text
    assert "ValidateFile" in text
    assert "is gone" in text
    assert "No message of ours" in text
    assert "secret-token" not in answer.text
    assert "No dead letters" not in text


def test_one_letter_is_sent_back_and_the_page_says_so() -> None:
    api = a_shop()
    answer = send(api, f"{PLACE}/send-back", message_id="00000-letter")
    assert answer.status == 303
    assert api.queues.sent == ["00000-letter"]
    assert answer.headers["Location"].endswith(f"dead-letters/{QUEUE}?sent=1")
    after = shown_after(api, sent="1")
    assert after.one("p", role="status").text == "1 message sent back."
    assert "00000-letter" not in after.text


def shown_after(api: ApiHarness, **query: str) -> Element:
    answer = api.ask(PLACE, **query)
    assert answer.status == 200
    return read(answer.text)


def test_all_are_sent_back_but_what_sqs_does_not_take() -> None:
    api = a_shop()
    answer = send(api, f"{PLACE}/send-back")
    assert sorted(api.queues.sent) == ["00000-letter", "00001-letter"]
    assert answer.headers["Location"].endswith("?sent=2&left=1")
    assert "1 message stayed" in shown_after(api, sent="2", left="1").text


def test_a_letter_is_dropped_with_a_reason_in_the_name_of_who_asks() -> None:
    api = a_shop()
    answer = send(api, f"{PLACE}/drop", message_id="00001-letter", reason=" a script of mine ")
    assert answer.status == 303
    assert api.queues.dropped == [("00001-letter", ON_THIS_MACHINE, "a script of mine")]


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2_001])
def test_nothing_is_dropped_without_a_reason(reason: str) -> None:
    api = a_shop()
    answer = send(api, f"{PLACE}/drop", message_id="00001-letter", reason=reason)
    assert (answer.status, api.queues.dropped) == (422, [])


def test_a_letter_that_somebody_else_has_dealt_with_is_told() -> None:
    api = a_shop()
    for act in ("drop", "send-back"):
        answer = send(api, f"{PLACE}/{act}", message_id="gone", reason="why not")
        assert answer.status == 409
        assert "no longer in" in read(answer.text).one("main").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example", "Host": "127.0.0.1:4566"},
        {"Origin": "null", "Host": "127.0.0.1:4566"},
        {"Host": "127.0.0.1:4566"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://a.example", "Host": "a.example"},
    ],
)
@pytest.mark.parametrize("act", ["drop", "send-back"])
def test_a_form_of_another_site_does_nothing(headers: dict[str, str], act: str) -> None:
    api = a_shop()
    form = {"Content-Type": OURS["Content-Type"], **headers}
    answer = send(api, f"{PLACE}/{act}", form, message_id="00000-letter", reason="why")
    assert answer.status == 403
    assert (api.queues.sent, api.queues.dropped) == ([], [])


def test_an_older_browser_is_known_by_its_origin() -> None:
    api = a_shop()
    headers = {"Origin": "http://127.0.0.1:4566", "Host": "127.0.0.1:4566"}
    answer = send(
        api, f"{PLACE}/drop", {"Content-Type": OURS["Content-Type"], **headers},
        message_id="00000-letter", reason="why",
    )  # fmt: skip
    assert answer.status == 303


def test_who_signs_is_no_browser_and_is_named_in_the_record() -> None:
    api = a_shop()
    event = a_question(f"{PLACE}/drop", {"Content-Type": OURS["Content-Type"]})
    event["requestContext"] |= {
        "authorizer": AWS_CALLER,
        "http": {"method": "POST", "path": f"{PLACE}/drop", "sourceIp": "10.0.0.1"},
    }
    event["body"] = urlencode({"message_id": "00000-letter", "reason": "why"})
    assert api.handle(event).status == 303
    assert api.queues.dropped[0][1] == "arn:aws:iam::000000000000:user/analyst"


@pytest.mark.parametrize(
    ("scopes", "looks", "acts"),
    [([], 403, 403), (["read"], 200, 403), ([OPERATE], 403, 403), (["read", OPERATE], 200, 303)],
)
def test_a_token_that_may_look_may_not_act(scopes: list[str], looks: int, acts: int) -> None:
    api = ApiHarness(endpoint="", scope="read")
    api.queues.dead, api.queues.counted = a_shop().queues.dead, a_shop().queues.counted
    token = {"jwt": {"claims": {"sub": "ann"}, "scopes": scopes}}
    for path, method, status in ((PLACE, "GET", looks), (f"{PLACE}/drop", "POST", acts)):
        event = a_question(path, OURS)
        event["requestContext"] |= {
            "authorizer": token, "http": {"method": method, "path": path, "sourceIp": "10.0.0.1"},
        }  # fmt: skip
        event["body"] = urlencode({"message_id": "00000-letter", "reason": "why"})
        assert api.handle(event).status == status
    assert [who for _, who, _ in api.queues.dropped] == ["ann"] * (acts == 303)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", "{}", 415),
        ("", "reason=x", 415),
        (OURS["Content-Type"], "reason=%ff%fe", 400),
        (OURS["Content-Type"], "&".join(f"a{n}=1" for n in range(1_001)), 400),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: str, status: int) -> None:
    api = a_shop()
    event = a_question(f"{PLACE}/drop", {**OURS, "Content-Type": content_type})
    event["requestContext"]["http"]["method"] = "POST"
    event["body"] = body
    assert api.handle(event).status == status


@pytest.mark.parametrize(
    "queue", ["nope", "somebody-elses-dlq", "validator-commands", "lock-x-dlq"]
)
def test_a_queue_that_is_none_of_ours_has_no_page_and_no_act(queue: str) -> None:
    api, place = a_shop(), f"/console/operations/dead-letters/{queue}"
    assert api.ask(place).status == 404
    assert send(api, f"{place}/send-back").status in (404, 409)
    assert send(api, f"{place}/drop", message_id="1", reason="why").status == 404


def test_letters_that_came_from_no_queue_have_no_way_back() -> None:
    api = a_shop()
    api.queues.dead["event-relay-dlq"] = [replace(api.queues.dead[QUEUE][0])]
    found = shown(api, "/console/operations/dead-letters/event-relay-dlq")
    assert not [one for one in found.all("button") if "Send" in one.text]
    answer = send(api, "/console/operations/dead-letters/event-relay-dlq/send-back")
    assert (answer.status, api.queues.sent) == (409, [])


def test_on_aws_nobody_looks_or_acts_whom_the_gateway_does_not_know() -> None:
    api = ApiHarness(endpoint="")
    assert api.ask("/console/operations").status == 401
    assert send(api, f"{PLACE}/drop", message_id="1", reason="why").status == 401


def test_the_lock_is_what_its_last_event_says_in_any_order() -> None:
    granted = an_event("LockGranted", LOCK, 4, 10, batch_id=RUNNING, fence=7)
    lease = an_event("LeaseExtended", LOCK, 5, 70, fence=7, lease_until=to_rfc3339(NOW))
    released = an_event("LockReleased", LOCK, 6, 80, fence=7)
    for order in ([granted, lease], [lease, granted], [granted, lease, granted]):
        api = ApiHarness()
        for one in order:
            api.hear(one)
        held = lock_of(api.views)
        assert (held.is_held, held.batch_id, held.lease_until) == (True, RUNNING, to_rfc3339(NOW))
    for order in ([granted, lease, released], [released, lease, granted]):
        api = ApiHarness()
        api.hear(*order)
        assert lock_of(api.views).is_held is False


def test_an_older_lease_is_not_that_of_the_holder() -> None:
    api, until = ApiHarness(), "2025-07-07T12:15:00.000Z"
    api.hear(
        an_event("LeaseExtended", LOCK, 2, 10, fence=6, lease_until="2020-01-01T00:00:00.000Z"),
        an_event("LockGranted", LOCK, 4, 20, batch_id=RUNNING, fence=7, lease_until=until),
    )
    assert lock_of(api.views).lease_until == until


def test_a_lease_is_no_part_of_a_batchs_story() -> None:
    api = ApiHarness()
    api.hear(an_event("LeaseExtended", LOCK, 5, 70, fence=7))
    assert not [pk for pk, _ in api.views.items if pk.startswith("batch#")]


def held(**told: Any) -> LockView:
    at = to_rfc3339(NOW - timedelta(minutes=5))
    return LockView(**{"is_held": True, "at": at, "fence": 7, "batch_id": RUNNING} | told)


@pytest.mark.parametrize(
    ("lock", "waiting", "beginning"),
    [
        (LockView(), 3, ""),
        (held(), 3, ""),
        (held(is_held=False), 0, ""),
        (held(is_held=False), 1, "The lock is free and batches wait"),
        (held(lease_until=to_rfc3339(NOW + timedelta(seconds=1))), 0, ""),
        (held(lease_until=to_rfc3339(NOW - timedelta(seconds=1))), 0, "The lease is over"),
        (held(at=to_rfc3339(NOW - timedelta(hours=2, seconds=1))), 0, "One batch holds the lock"),
    ],
)
def test_the_lock_has_advice_when_somebody_is_wanted(
    lock: LockView, waiting: int, beginning: str
) -> None:
    said = lock_advice(lock, waiting, NOW)
    assert said.startswith(beginning) if beginning else said == ""


def test_work_is_by_service_with_those_that_have_no_queue() -> None:
    depths = [Depth("lock-commands", 2, 0), Depth("lock-events", 1, 1), Depth("new-events", 0, 0)]
    signs = [SignOfLife(service="lock", at="2025-07-07T12:00:00Z", said="LockGranted")]
    signs.append(SignOfLife(service="saga", at="2025-07-07T12:00:00Z", said="Something"))
    found = {one.service: one for one in work(depths, signs)}
    assert list(found) == ["lock", "new", "saga"]
    assert (found["lock"].state, found["lock"].waiting, found["lock"].in_work) == ("at work", 3, 1)
    assert found["lock"].sign == signs[0]


def test_a_dead_letter_in_somebodys_hands_is_counted_too() -> None:
    [one] = dead_letters([Depth("lock-commands-dlq", 1, 2), Depth("lock-commands", 9, 9)])
    assert one.letters == 3
