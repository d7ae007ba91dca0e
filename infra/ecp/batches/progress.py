"""How far a batch has come, as a few steps decided from its events; how they look is elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from contracts.envelope import Message
from services.api.views.sentences import describe
from services.runtime.wording import plural, size

ENDS = {"BatchCompleted": "COMPLETED", "BatchRejected": "REJECTED", "BatchFailed": "FAILED"}


PUBLICATION_WORDS = {
    "none": "FAILED",
    "begun": "FAILED while it was being published",
    "done": "FAILED, but published",
}
"""What a failed batch has come to, by its `publication`."""


def publication(events: Sequence[Message]) -> str:
    """How far a batch's publication is: none, begun, done.

    From FactsPublished on nothing undoes it: whoever writes next sets the rest of the KPIs.
    """
    types = {event.event_type for event in events}
    if "KpisPublished" in types:
        return "done"
    return "begun" if "FactsPublished" in types else "none"


class StepState(Enum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Step:
    """One line of progress."""

    name: str
    state: StepState
    detail: str = ""


def this_attempt(events: Sequence[Message], redriven_after: int = 0) -> list[Message]:
    """The events since the last redrive, in order; those of earlier attempts are left out.

    `redriven_after` is how many redrives must be exceeded: who asked for one waits for its own
    BatchRedriven and sees nothing before it.
    """
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.event_id))
    redrives = [n for n, event in enumerate(ordered) if event.event_type == "BatchRedriven"]
    if len(redrives) < redriven_after:
        return []
    return ordered[redrives[-1] :] if redrives else ordered


def ending(events: Sequence[Message]) -> Message | None:
    """The event that closed the batch, None while it runs."""
    return next((event for event in reversed(events) if event.event_type in ENDS), None)


def steps(events: Sequence[Message]) -> list[Step]:
    """Seal, lock, validate, transform, archive and close, from the events of one attempt."""
    by_type: dict[str, list[Any]] = {}
    for event in events:
        by_type.setdefault(event.event_type, []).append(event)
    sealed = [*by_type.get("BatchSealed", ()), *by_type.get("BatchRedriven", ())]
    file_count = sealed[-1].data.file_count if sealed else None
    return _settled(
        [
            _seal(sealed),
            _lock(by_type),
            _validate(by_type, file_count),
            _transform(by_type),
            _archive(by_type),
            _close(by_type),
        ],
        ended=ending(events) is not None,
    )


def _settled(found: list[Step], *, ended: bool) -> list[Step]:
    """The first step that waits after the last one done is what is being worked on now."""
    if ended:
        return [step for step in found if step.state is not StepState.WAITING]
    begun = [n for n, step in enumerate(found) if step.state is not StepState.WAITING]
    after = begun[-1] + 1 if begun else 0
    last_is_done = not begun or found[begun[-1]].state in (StepState.DONE, StepState.FAILED)
    if last_is_done and after < len(found):
        found[after] = Step(found[after].name, StepState.RUNNING, found[after].detail)
    return found


def _seal(sealed: list[Any]) -> Step:
    if not sealed:
        return Step("Seal", StepState.WAITING)
    batch = sealed[-1].data
    said = plural(batch.file_count, "file")
    if sealed[-1].event_type == "BatchSealed":
        said += f", {size(batch.size_bytes)}"
    return Step("Seal", StepState.DONE, f"batch {batch.batch_id}: {said}")


def _lock(by_type: dict[str, list[Any]]) -> Step:
    if "LockGranted" in by_type:
        return Step("Lock", StepState.DONE, f"fence {by_type['LockGranted'][-1].data.fence}")
    if "LockQueued" in by_type:
        return Step("Lock", StepState.RUNNING, describe(by_type["LockQueued"][-1]))
    return Step("Lock", StepState.WAITING)


def _validate(by_type: dict[str, list[Any]], file_count: int | None) -> Step:
    passed = {event.data.file_index: event.data for event in by_type.get("FileValidated", ())}
    failed = {event.data.file_index: event.data for event in by_type.get("FileRejected", ())}
    done = len(passed.keys() | failed.keys())
    moved_on = "TransformStarted" in by_type or bool(ENDS.keys() & by_type.keys())
    if not done:
        return Step("Validate", StepState.DONE if moved_on else StepState.WAITING)
    rows = sum(file.rows_in for file in passed.values())
    bad = sum(file.quarantined for file in passed.values())
    said = f"{plural(rows, 'row')}, {bad:,} quarantined"
    if failed:
        said += f", {plural(len(failed), 'file')} rejected"
    complete = moved_on or (file_count is not None and done >= file_count)
    if not complete:
        return Step("Validate", StepState.RUNNING, f"{done} of {plural(file_count or 0, 'file')}")
    return Step("Validate", StepState.FAILED if failed else StepState.DONE, said)


def _transform(by_type: dict[str, list[Any]]) -> Step:
    if "KpisPublished" in by_type:
        published = by_type["KpisPublished"][-1].data
        said = f"{plural(published.affected_days, 'day')} published by {published.engine}"
        return Step("Transform", StepState.DONE, said)
    if "BatchAbandoned" in by_type:
        return Step("Transform", StepState.FAILED, describe(by_type["BatchAbandoned"][-1]))
    if "TransformStarted" in by_type:
        latest = by_type.get("FactsPublished", by_type["TransformStarted"])[-1]
        return Step("Transform", StepState.RUNNING, describe(latest))
    return Step("Transform", StepState.WAITING)


def _archive(by_type: dict[str, list[Any]]) -> Step:
    if "BatchArchived" not in by_type:
        return Step("Archive", StepState.WAITING)
    said = plural(by_type["BatchArchived"][-1].data.file_count, "file")
    return Step("Archive", StepState.DONE, said)


def _close(by_type: dict[str, list[Any]]) -> Step:
    for event_type, status in ENDS.items():
        if event_type in by_type:
            state = StepState.DONE if status == "COMPLETED" else StepState.FAILED
            return Step("Close", state, describe(by_type[event_type][-1]))
    return Step("Close", StepState.WAITING)
