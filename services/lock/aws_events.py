"""What comes on `lock-events`: notices of AWS, not messages of ours, and what each asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from contracts.errors import ContractViolation, Refused
from contracts.foreign import json_object, shown

STATUS_CHANGE = "Step Functions Execution Status Change"


@dataclass(frozen=True)
class ExecutionStatus:
    """An execution changed its status; `notice_id` is the EventBridge event's id."""

    execution_id: str
    status: str
    notice_id: str


@dataclass(frozen=True)
class Sweep:
    """The minute is over: look after the lock."""

    lock_id: str


def parse_aws_event(body: str) -> ExecutionStatus | Sweep:
    """Read a notice; raises Refused for anything else."""
    try:
        notice = json_object(body)
    except ContractViolation as error:
        raise Refused(str(error)) from error
    if isinstance(notice.get("sweep"), str):
        return Sweep(notice["sweep"])
    detail = notice.get("detail")
    if notice.get("detail-type") != STATUS_CHANGE or not isinstance(detail, Mapping):
        raise Refused(f"neither a sweep nor a {STATUS_CHANGE}: {shown(body)}")
    execution_id, status = detail.get("executionArn"), detail.get("status")
    notice_id = notice.get("id")
    if not (_is_text(execution_id) and _is_text(status) and _is_text(notice_id)):
        raise Refused(f"{STATUS_CHANGE} names no execution, status or id: {shown(body)}")
    return ExecutionStatus(execution_id, status, notice_id)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)
