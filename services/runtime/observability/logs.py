"""Log lines: the one logger, and the keys by which everything about a batch is found again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger

from contracts.envelope import Message
from contracts.errors import ContractViolation
from contracts.foreign import json_object, shown
from contracts.identities import attempt_of, name_of

SERVICE = "POWERTOOLS_SERVICE_NAME"
"""The environment variable that names the service in each line, metric and span."""
MAX_KEY_CHARACTERS = 1024
"""The longest key of S3; what strangers write into such a field may be longer."""


def this_service() -> str:
    """Whose process this is, by its template; nobody's in particular where none says so."""
    return os.environ.get(SERVICE, "ecommerce-pipeline")


logger = Logger(service=this_service(), utc=True, use_rfc3339=True)


@contextmanager
def about(**keys: str | None) -> Iterator[None]:
    """Meanwhile every line of this process has these keys, those of other threads too.

    None says nothing. Afterwards all keys are as they were before, also those that somebody
    appended inside: a warm function or a worker takes one message after the other.
    """
    before = dict(logger.get_current_keys())
    logger.append_keys(**{name: value for name, value in keys.items() if value is not None})
    try:
        yield
    finally:
        logger.remove_keys(logger.get_current_keys().keys() - before.keys())
        logger.append_keys(**before)


def keys_of(body: str) -> dict[str, str]:
    """The keys of a queue's message, as far as it can be read, contract or not.

    Of a message of ours: batch_id, event_type, event_id, causation_id. Of a notice of AWS: the
    execution and the batch that it runs, or the object's key.
    """
    try:
        message = json_object(body)
    except ContractViolation:
        return {}
    detail = message.get("detail")
    if not isinstance(detail, Mapping):
        return _envelope_keys(message)
    return _envelope_keys(detail) or _notice_keys(detail)


def keys_of_message(message: Message) -> dict[str, str]:
    """The same keys of a message that was read."""
    return _texts(
        batch_id=message.correlation_id,
        event_type=message.event_type,
        event_id=message.event_id,
        causation_id=message.causation_id,
    )


def _envelope_keys(envelope: Mapping[str, Any]) -> dict[str, str]:
    return _texts(
        batch_id=envelope.get("correlation_id"),
        event_type=envelope.get("event_type"),
        event_id=envelope.get("event_id"),
        causation_id=envelope.get("causation_id"),
    )


def _notice_keys(detail: Mapping[str, Any]) -> dict[str, str]:
    execution_id, seen = detail.get("executionArn"), detail.get("object")
    if isinstance(execution_id, str):
        named = attempt_of(execution_id)
        return _texts(execution=name_of(execution_id), batch_id=named[0] if named else None)
    return _texts(key=seen.get("key")) if isinstance(seen, Mapping) else {}


def _texts(**values: Any) -> dict[str, str]:
    return {
        name: shown(value, MAX_KEY_CHARACTERS)
        for name, value in values.items()
        if isinstance(value, str) and value
    }
