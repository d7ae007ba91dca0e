"""What comes to the aggregator and is no message of ours: AWS notices, and our own checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contracts.envelope import json_object
from contracts.errors import ContractViolation
from services.aggregator.detection import Notification

OBJECT_CREATED = "Object Created"
STATUS_CHANGE = "Step Functions Execution Status Change"


@dataclass(frozen=True)
class Check:
    """A moment that we asked for has come: look at the bucket's open set."""

    bucket: str


@dataclass(frozen=True)
class Sweep:
    """The minute is over: look after the bucket's open set and the open batches."""

    bucket: str


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
        raise ContractViolation(f"neither a check nor {OBJECT_CREATED}: {body[:200]}")
    try:
        bucket = message["detail"]["bucket"]["name"]
        seen = message["detail"]["object"]
        key, version_id = seen["key"], seen.get("version-id")
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractViolation(f"{OBJECT_CREATED} names no object: {body[:200]}") from error
    if not (_is_text(bucket) and _is_text(key) and (version_id is None or _is_text(version_id))):
        raise ContractViolation(f"{OBJECT_CREATED} names its object oddly: {body[:200]}")
    return Notification(bucket, key, version_id)


def parse_notice(body: str) -> Sweep | ExecutionStatus | None:
    """A notice on `aggregator-events`; None for all else, which should be an event of ours.

    Raises ContractViolation when a status change does not say whose, or it is no JSON object.
    """
    message = json_object(body)
    if _is_text(message.get("sweep")):
        return Sweep(message["sweep"])
    if message.get("detail-type") != STATUS_CHANGE:
        return None
    detail = message.get("detail")
    if not isinstance(detail, Mapping):
        raise ContractViolation(f"{STATUS_CHANGE} without detail: {body[:200]}")
    execution_id, status = detail.get("executionArn"), detail.get("status")
    if not (isinstance(execution_id, str) and isinstance(status, str)):
        raise ContractViolation(f"{STATUS_CHANGE} names no execution or status: {body[:200]}")
    said = (detail.get("error"), detail.get("cause"))
    return ExecutionStatus(execution_id, status, ": ".join(str(one) for one in said if one))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
