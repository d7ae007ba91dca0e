"""What is done to a request at a boundary; how a request is recognised is in boundaries.py."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.fault_matrix import callers
from tests.fault_matrix.proxy import Exchange, Fault
from tests.fault_matrix.wire import Answer, breakdown, cancelled, error, json_answer, throttling

HOLD_SECONDS = 7.0
"""Longer than a function may run (5 s) and a message stays invisible (6 s) in the matrix."""
REORDER_SECONDS = 3.0
"""How long one is held for the next, where no next may come."""
JUMP_SECONDS = 3600.0
"""Far past the lease of 15 minutes."""


def kill_before(exchange: Exchange) -> Answer | None:
    """kill -9 of the caller; its request is never carried out."""
    _kill(exchange)
    return None


def kill_after(exchange: Exchange) -> Answer | None:
    """Carried out; then kill -9 of the caller, who never hears of it."""
    exchange.forward()
    _kill(exchange)
    return None


def send_twice(exchange: Exchange) -> Answer | None:
    """Carried out twice; the caller gets the second answer."""
    exchange.forward()
    return exchange.forward()


def delay_before(exchange: Exchange) -> Answer | None:
    """Carried out when the caller has given up; nobody hears the answer."""
    time.sleep(HOLD_SECONDS)
    exchange.forward()
    return None


def delay_after(exchange: Exchange) -> Answer | None:
    """Carried out at once, answered when nobody listens any more."""
    exchange.forward()
    time.sleep(HOLD_SECONDS)
    return None


def delay_answer(exchange: Exchange) -> Answer | None:
    """Carried out at once, the answer arrives late: the message in it is visible again by then."""
    answer = exchange.forward()
    time.sleep(HOLD_SECONDS)
    return answer


def hold_for_the_next(exchange: Exchange) -> Answer | None:
    """Carried out after the next write of anybody, or after 3 s."""
    exchange.proxy.await_another_write(REORDER_SECONDS)
    return exchange.forward()


def throttle(exchange: Exchange) -> Answer | None:
    """Refused as too frequent."""
    return throttling(exchange.request)


def fail_after(exchange: Exchange) -> Answer | None:
    """Carried out, but answered with an internal error."""
    exchange.forward()
    return breakdown(exchange.request)


def fail(exchange: Exchange) -> Answer | None:
    """Not carried out: an internal error."""
    return breakdown(exchange.request)


def cancel_one(code: str) -> Fault:
    """One item of the transaction is said to be the reason that nothing was written."""

    def cancel(exchange: Exchange) -> Answer | None:
        return cancelled(exchange.request, code)

    return cancel


def cancel_after(exchange: Exchange) -> Answer | None:
    """Written, but answered as if a condition had failed: what a second writer would hear."""
    exchange.forward()
    return cancelled(exchange.request, "ConditionalCheckFailed", 0)


def garble_answer(exchange: Exchange) -> Answer | None:
    """Carried out; the answer breaks off."""
    answer = exchange.forward()
    return Answer(answer.status, answer.headers, b'{"broken')


def refuse_output(exchange: Exchange) -> Answer | None:
    """The output arrives broken: Step Functions answers InvalidOutput (API reference)."""
    return error(exchange.request, 400, "InvalidOutput")


def fail_entries(is_meant: Callable[[Mapping[str, Any]], bool]) -> Fault:
    """PutEvents takes all entries but those meant, and says so entry by entry."""

    def fail_some(exchange: Exchange) -> Answer | None:
        entries = exchange.request.parameters["Entries"]
        good = [entry for entry in entries if not is_meant(entry)]
        results: list[dict[str, str]] = []
        if good:
            request = exchange.request.with_parameters({"Entries": good})
            results = exchange.forward(request).document["Entries"]
        refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "injected"}
        taken = iter(results)
        answers = [refused if is_meant(entry) else next(taken) for entry in entries]
        failed = len(entries) - len(good)
        return json_answer({"FailedEntryCount": failed, "Entries": answers})

    return fail_some


def break_details(exchange: Exchange) -> Answer | None:
    """PutEvents with events that have lost their data."""
    entries = []
    for entry in exchange.request.parameters["Entries"]:
        detail = {**json.loads(entry["Detail"]), "data": {}}
        entries.append({**entry, "Detail": json.dumps(detail)})
    return exchange.forward(exchange.request.with_parameters({"Entries": entries}))


def return_to_queue(exchange: Exchange) -> Answer | None:
    """The message goes back into the queue and nothing is received: those behind it go first."""
    answer = exchange.forward()
    url = exchange.request.parameters["QueueUrl"]
    for message in answer.document["Messages"]:
        _sqs(
            exchange,
            "ChangeMessageVisibility",
            {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 1},
        )
    return answer.with_document({})


def deliver_twice(exchange: Exchange) -> Answer | None:
    """The message is delivered, and lies in the queue once more."""
    answer = exchange.forward()
    url = exchange.request.parameters["QueueUrl"]
    for message in answer.document["Messages"]:
        _sqs(exchange, "SendMessage", {"QueueUrl": url, "MessageBody": message["Body"]})
    return answer


def break_message(exchange: Exchange) -> Answer | None:
    """The message arrives with a fence that is no number; its token can still be read."""
    answer = exchange.forward()
    messages = []
    for message in answer.document["Messages"]:
        body = json.loads(message["Body"])
        body["data"] = {**body["data"], "fence": "none"}
        kept = {name: value for name, value in message.items() if not name.startswith("MD5")}
        messages.append({**kept, "Body": json.dumps(body)})
    return answer.with_document({**answer.document, "Messages": messages})


def jump_clock(clocks: Path) -> Fault:
    """The caller's clock goes an hour ahead before the request is carried out."""

    def jump(exchange: Exchange) -> Answer | None:
        pid = callers.caller_of(exchange)
        if pid is None:
            raise LookupError("the caller is gone: its clock cannot jump")
        (clocks / str(pid)).write_text(str(JUMP_SECONDS))
        return exchange.forward()

    return jump


def restart_all(restart: Callable[[], None]) -> Fault:
    """All workers and functions are ended while the caller waits for its answer."""

    def restarting(exchange: Exchange) -> Answer | None:
        restart()
        exchange.forward()
        return None

    return restarting


def _kill(exchange: Exchange) -> None:
    pid = callers.caller_of(exchange)
    if pid is None:
        raise LookupError(f"nobody sent {exchange.request.operation}: nothing to kill")
    exchange.proxy.say(f"kill -9 {pid}")
    callers.kill(pid)


def _sqs(exchange: Exchange, operation: str, parameters: Mapping[str, Any]) -> None:
    headers = tuple(
        (name, f"AmazonSQS.{operation}" if name.lower() == "x-amz-target" else value)
        for name, value in exchange.request.headers
    )
    request = exchange.request.with_parameters(parameters)
    exchange.forward(type(request)(request.method, request.path, headers, request.body))
