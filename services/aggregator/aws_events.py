"""What comes to the aggregator and is no message of ours: AWS notices, and our own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from contracts.errors import ContractViolation
from contracts.foreign import json_object, shown
from services.aggregator.open_set.detection import Notification

OBJECT_CREATED = "Object Created"
STATUS_CHANGE = "Step Functions Execution Status Change"


MAX_KEY_BYTES = 1024
"""Limit of a key and of a version id (S3 user guide)."""


@dataclass(frozen=True)
class Check:
    """A moment that we asked for has come: look at the bucket's open set."""

    bucket: str


@dataclass(frozen=True)
class Sweep:
    """The minute is over: look after the bucket's open set and the open batches.

    `after_restart`: executions may have died untold, so all that run are asked after at once.
    """

    bucket: str
    after_restart: bool = False


@dataclass(frozen=True)
class ExecutionStatus:
    """An execution changed its status; `cause` is what it says of itself, mostly nothing."""

    execution_id: str
    status: str
    cause: str


def parse_file_message(body: str) -> Notification | Check:
    """A message of `aggregator-files`; raises ContractViolation for anything else.

    S3 writes keys into EventBridge events as they are, not URL-encoded.
    """
    message = json_object(body)
    if _is_text(message.get("check")):
        return Check(message["check"])
    if message.get("detail-type") != OBJECT_CREATED:
        raise ContractViolation(f"neither a check nor {OBJECT_CREATED}: {shown(body)}")
    try:
        bucket = message["detail"]["bucket"]["name"]
        seen = message["detail"]["object"]
        key, version_id = seen["key"], seen.get("version-id")
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractViolation(f"{OBJECT_CREATED} names no object: {shown(body)}") from error
    texts = (bucket, key) if version_id is None else (bucket, key, version_id)
    if not all(_is_text(text) and len(text.encode()) <= MAX_KEY_BYTES for text in texts):
        raise ContractViolation(f"{OBJECT_CREATED} names its object oddly: {shown(body)}")
    return Notification(bucket, key, version_id)


def parse_aws_event(body: str) -> Sweep | ExecutionStatus | None:
    """A notice on `aggregator-events`; None for all else, which should be an event of ours.

    Raises ContractViolation when a status change does not say whose, or it is no JSON object.
    """
    message = json_object(body)
    if _is_text(message.get("sweep")):
        return Sweep(message["sweep"], message.get("after_restart") is True)
    if message.get("detail-type") != STATUS_CHANGE:
        return None
    detail = message.get("detail")
    if not isinstance(detail, Mapping):
        raise ContractViolation(f"{STATUS_CHANGE} without detail: {shown(body)}")
    execution_id, status = detail.get("executionArn"), detail.get("status")
    if not (_is_text(execution_id) and _is_text(status)):
        raise ContractViolation(f"{STATUS_CHANGE} names no execution or status: {shown(body)}")
    said = (detail.get("error"), detail.get("cause"))
    return ExecutionStatus(execution_id, status, ": ".join(str(one) for one in said if one))


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)
