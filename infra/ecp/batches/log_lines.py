"""The log lines of one batch, out of every log of the pipeline: functions, workers and the saga."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.clock import from_rfc3339, to_rfc3339
from contracts.identities import attempt_of
from infra.stage import Stage

LOG_GROUPS = (
    "/aws/lambda/file-aggregator",
    "/aws/lambda/processing-lock",
    "/aws/ecs/validation-task",
    "/aws/ecs/transformation-task",
    "/aws/lambda/batch-archiver",
    "/aws/lambda/event-relay",
    "/aws/lambda/lineage",
    "/aws/lambda/guard",
    "/aws/lambda/api-views",
    "/aws/lambda/api",
    "/aws/lambda/api-operations",
    "/aws/apigateway/ecommerce-pipeline",
    "/aws/vendedlogs/states/ecsJob",
)
ALWAYS_THERE = {
    "level", "location", "message", "timestamp", "service", "batch_id", "event_id",
    "causation_id", "exception", "exception_name", "stack_trace",
}  # fmt: skip
"""Keys that say where a line belongs; the others are what it says."""
BAD_ENDS = ("Failed", "TimedOut", "Aborted")


@dataclass(frozen=True)
class LogLine:
    """One line. `at`: RFC 3339 UTC; `entry`: the line as it was written."""

    at: str
    service: str
    level: str
    said: str
    entry: Mapping[str, Any]


def lines_in_groups(logs: Any, stage: Stage, batch_id: str, since: datetime) -> list[LogLine]:
    """Those in CloudWatch Logs since then; a log that is not there has none."""
    found: list[LogLine] = []
    for group in LOG_GROUPS:
        place, _, name = group.rpartition("/")
        of_stage = f"{place}/{stage.named(name)}"
        found += lines_about(batch_id, _matching(logs, of_stage, batch_id, since))
    return found


def lines_in_files(paths: Iterable[Path], batch_id: str) -> list[LogLine]:
    """Those in the files of a local cloud's workers."""
    found: list[LogLine] = []
    for path in sorted(paths):
        with path.open(encoding="utf-8", errors="replace") as texts:
            found += lines_about(batch_id, texts)
    return found


def lines_about(batch_id: str, texts: Iterable[str]) -> Iterator[LogLine]:
    """Lines of ours that say they are about the batch, and the saga's own of its executions."""
    for text in texts:
        if batch_id not in text:
            continue
        try:
            entry = json.loads(text)
        except json.JSONDecodeError:
            continue
        if not isinstance(entry, dict):
            continue
        if entry.get("batch_id") == batch_id and "timestamp" in entry:
            yield _line(entry)
        elif _runs(entry, batch_id):
            yield _saga_line(entry)


def _matching(logs: Any, group: str, batch_id: str, since: datetime) -> Iterator[str]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        startTime=int(since.timestamp() * 1000),
        filterPattern=f'"{batch_id}"',
    )
    try:
        for page in pages:
            yield from (event["message"] for event in page["events"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _line(entry: Mapping[str, Any]) -> LogLine:
    details = [f"{name}={value}" for name, value in entry.items() if name not in ALWAYS_THERE]
    failure = str(entry.get("exception", "")).splitlines()[-1:]
    return LogLine(
        at=to_rfc3339(from_rfc3339(entry["timestamp"])),
        service=entry["service"],
        level=entry["level"],
        said=" ".join([str(entry["message"]), *details, *failure]),
        entry=entry,
    )


def _runs(entry: Mapping[str, Any], batch_id: str) -> bool:
    """Whether it is an event of the history of an execution that runs this batch."""
    named = attempt_of(str(entry.get("execution_arn", "")))
    return named is not None and named[0] == batch_id


def _saga_line(entry: Mapping[str, Any]) -> LogLine:
    details = entry.get("details") or {}
    words = [entry["type"], *(details[name] for name in ("name", "error") if details.get(name))]
    at = datetime.fromtimestamp(int(entry["event_timestamp"]) / 1000, UTC)
    return LogLine(
        at=to_rfc3339(at),
        service="saga",
        level="ERROR" if entry["type"].endswith(BAD_ENDS) else "INFO",
        said=" ".join(words),
        entry=entry,
    )
