"""What comes on `lock-events`: notices of AWS, not messages of ours, and what each asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.envelope import json_object
from contracts.errors import ContractViolation

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


def parse_notice(body: str) -> ExecutionStatus | Sweep:
    """Read a notice; raises ContractViolation for anything else."""
    notice = json_object(body)
    if isinstance(notice.get("sweep"), str):
        return Sweep(notice["sweep"])
    detail = notice.get("detail")
    if notice.get("detail-type") != STATUS_CHANGE or not isinstance(detail, Mapping):
        raise ContractViolation(f"neither a sweep nor a {STATUS_CHANGE}: {body[:200]}")
    try:
        return ExecutionStatus(detail["executionArn"], detail["status"], notice["id"])
    except KeyError as error:
        raise ContractViolation(f"{STATUS_CHANGE} without {error}") from error
