"""How batches are listed: with their step while they run, and then with what they came to."""

from collections.abc import Sequence
from typing import Any

from infra.ecp.batches.timeline import times
from infra.ecp.terminal.output import print_table

Batch = dict[str, Any]


def print_running(found: Sequence[Batch]) -> None:
    """A line for each batch that is not closed: what it is doing, for how long, what failed."""
    print_table(
        "Running",
        ("batch", "status", "files", "sealed (UTC)", "step", "for seconds", "tried again because"),
        [(*_head(batch), *_step(batch.get("step"))) for batch in found],
    )


def print_closed(title: str, found: Sequence[Batch]) -> None:
    """A line for each batch: how it ended, what it held, why it did not complete."""
    print_table(
        title,
        ("batch", "status", "files", "sealed (UTC)", "rows", "days", "seconds", "reason"),
        [
            (
                *_head(batch),
                _or_dash(batch.get("rows")),
                _or_dash(batch.get("days")),
                _or_dash(batch.get("duration_seconds")),
                reason(batch),
            )
            for batch in found
        ],
    )


def reason(batch: Batch) -> str:
    """Why it did not complete; of one that is published all the same, that, and what to do."""
    said = batch.get("reason") or ""
    if batch.get("status") == "FAILED" and batch.get("published"):
        return (
            f"its KPIs are published; `ecp redrive {batch['batch_id']}` finishes the rest. {said}"
        )
    if batch.get("status") == "FAILED" and batch.get("publication") == "begun":
        redrive = f"`ecp redrive {batch['batch_id']}`"
        return f"its publication has begun and is not undone; {redrive} finishes it. {said}"
    return said


def _head(batch: Batch) -> tuple[object, ...]:
    sealed = str(batch["sealed_at"])[:19].replace("T", " ")
    return batch["batch_id"], batch.get("status"), batch.get("file_count"), sealed


def _step(step: Batch | None) -> tuple[object, ...]:
    if not step:
        return "-", "-", ""
    failed = f"failed {times(step['failures'])}: {step['last_error']}" if step["failures"] else ""
    return step["name"], step["seconds"], failed


def _or_dash(value: object) -> object:
    return "-" if value is None else value
