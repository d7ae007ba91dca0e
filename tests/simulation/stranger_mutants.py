"""Faults by which a stranger stops the pipeline, put into the real code: some seed must fail."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from contracts import envelope
from contracts.errors import ContractViolation
from services.aggregator import aws_events as incoming
from services.lock import aws_events as notices
from services.lock import domain as lock
from services.runtime import fences
from services.runtime.messaging import consumer, fence_questions
from services.runtime.observability import logs
from services.transformer.batch import abandon


def _bytes_are_trusted() -> list[Any]:
    """The first code: whatever `json.loads` says of foreign bytes is raised to the loop."""

    def trusting(body: Any) -> Any:
        value = json.loads(body) if isinstance(body, str) else body
        if not isinstance(value, dict):
            raise ContractViolation("message is not a JSON object")
        return value

    return [
        patch.object(module, "json_object", trusting)
        for module in (envelope, logs, incoming, notices)
    ]


def _one_record_fails_all() -> list[Any]:
    def handle(event: Any, work: Any) -> Any:
        for record in event["Records"]:
            body = record["body"]
            if body.startswith("["):
                raise RecursionError("maximum recursion depth exceeded")
            work(body, record["eventSourceARN"].rsplit(":", 1)[-1])
        return {"batchItemFailures": []}

    return [
        patch.object(consumer, "handle_sqs_records", handle),
        patch("tests.simulation.cast.handle_sqs_records", handle),
    ]


def _refused_and_forgotten() -> list[Any]:
    return [patch.object(consumer, "refuse", lambda *_: None)]


def _any_fence_is_admitted() -> list[Any]:
    return [patch.object(fences, "is_never_granted", lambda *_, **__: False)]


def _strangers_are_undone_like_others() -> list[Any]:
    return [patch.object(abandon, "_gave_up_before_it_began", lambda *_: False)]


def _nobody_asks_the_lock() -> list[Any]:
    return [patch.object(fence_questions, "asking_when_stale", lambda handler, _ask: handler)]


def _raised_in_vain() -> list[Any]:
    real = lock.Lock._grant

    def grant(self: lock.Lock, *arguments: Any, **named: Any) -> Any:
        return real(replace(self, highest_fence=0), *arguments, **named)

    return [patch.object(lock.Lock, "_grant", grant)]


STRANGER_MUTANTS = (
    ("consumer: foreign bytes are trusted", _bytes_are_trusted),
    ("consumer: one record fails its batch", _one_record_fails_all),
    ("consumer: what is refused is forgotten", _refused_and_forgotten),
    ("transformer: any fence is admitted", _any_fence_is_admitted),
    ("transformer: a stranger's batch is undone like any", _strangers_are_undone_like_others),
    ("transformer: nobody asks the lock", _nobody_asks_the_lock),
    ("lock: a fence is raised in vain", _raised_in_vain),
)
