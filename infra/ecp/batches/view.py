"""How batches are listed: with their step while they run, and then with what they came to."""

from collections.abc import Sequence
from typing import Any

from infra.ecp.batches.timeline import Moment
from infra.ecp.terminal.output import print_table
from services.runtime.wording import times

Batch = dict[str, Any]
HEAD = ("batch", "status", "files", "sealed (UTC)")


def print_running(found: Sequence[Batch]) -> None:
    """A line for each batch that is not closed: what it is doing, for how long, what failed."""
    print_table(
        "Running",
        (*HEAD, "step", "for seconds", "tried again because"),
        [(*_head(batch), *_step(batch.get("step"))) for batch in found],
    )


def print_closed(title: str, found: Sequence[Batch]) -> None:
    """A line for each batch: how it ended, what it held, why it did not complete.

    By which sources its files were read, where any of the batches has one.
    """
    any_source = any(batch.get("sources") for batch in found)
    print_table(
        title,
        (*HEAD, *(["sources"] if any_source else []), "rows", "days", "seconds", "reason"),
        [
            (
                *_head(batch),
                *([", ".join(batch.get("sources") or ()) or None] if any_source else []),
                _or_dash(batch.get("rows")),
                _or_dash(batch.get("days")),
                _or_dash(batch.get("duration_seconds")),
                reason(batch),
            )
            for batch in found
        ],
    )


def print_moments(title: str, moments: Sequence[Moment]) -> None:
    """A line for each event of a batch, with the source of its file where any file has one."""
    any_source = any(moment.source for moment in moments)
    print_table(
        title,
        ("seconds", "event", *(["source"] if any_source else []), "what happened"),
        [
            (
                f"{moment.seconds:.3f}",
                moment.event_type,
                *([moment.source] if any_source else []),
                moment.said,
            )
            for moment in moments
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
