"""Where a batch that runs stands in the saga, and what it is trying again, from its history."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from contracts.clock import to_rfc3339

LOOKED_BACK = 100
"""So many events of the history, newest first: one call (AWS API reference)."""


@dataclass(frozen=True)
class CurrentStep:
    """A state of the saga. `since`: RFC 3339. `failures`: how often its task failed in it.

    `last_error` is what the task failed of last, None when it did not.
    """

    name: str
    since: str
    seconds: float
    failures: int
    last_error: str | None


def read_current_step(
    stepfunctions: Any, execution_id: str, now: datetime
) -> dict[str, Any] | None:
    """The step of an execution, None when it has none or is gone."""
    try:
        answer = stepfunctions.get_execution_history(
            executionArn=execution_id, reverseOrder=True, maxResults=LOOKED_BACK
        )
    except stepfunctions.exceptions.ExecutionDoesNotExist:
        return None
    step = current_step(answer["events"], now)
    return None if step is None else asdict(step)


def current_step(newest_first: Iterable[Mapping[str, Any]], now: datetime) -> CurrentStep | None:
    """The state that was entered last and not left, and the failures of tasks since.

    Of a Map it is a step of an item: several are tried at once, and the newest one is told.
    """
    failures: list[Mapping[str, Any]] = []
    left: Counter[str] = Counter()
    for event in newest_first:
        if event["type"].endswith("StateExited"):
            left[event["stateExitedEventDetails"]["name"]] += 1
        if event["type"].endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            if left[name]:
                left[name] -= 1
                continue
            since: datetime = event["timestamp"]
            return CurrentStep(
                name,
                to_rfc3339(since),
                round((now - since).total_seconds(), 1),
                len(failures),
                _said(failures[0]) if failures else None,
            )
        if event["type"] in ("TaskFailed", "TaskTimedOut"):
            failures.append(event)
    return None


def _said(failure: Mapping[str, Any]) -> str:
    kind = (
        "taskFailedEventDetails" if failure["type"] == "TaskFailed" else "taskTimedOutEventDetails"
    )
    details = failure.get(kind, {})
    error = details.get("error", failure["type"])
    cause = " ".join(str(details.get("cause") or "").split())
    return f"{error}: {cause}" if cause else error
