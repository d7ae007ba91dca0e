"""What can be wrong in the saga's definition, as sentences; the text alone, nothing is run."""

import re
from collections.abc import Iterator
from typing import Any

from contracts import errors, schemas
from tests.contract.declared import states_in

Definition = dict[str, Any]
WAITS_FOR_A_TURN = {"AcquireLock"}
"""Nobody works while an execution is in line, so nobody sends heartbeats."""
NOTHING_TO_UNDO = {"SealFileSet"}
"""It fails before there is a batch or a lock."""
ENDS = ("Succeed", "Fail")


def patience_faults(definition: Definition) -> Iterator[str]:
    """Tasks that may hang, or that are tried again all at the same moment or not at all."""
    for name, state, around in _with_parents(definition):
        if state["Type"] != "Task":
            continue
        timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
        if not timeout:
            yield f"{name} has no TimeoutSeconds"
        elif _is_answered(state) and name not in WAITS_FOR_A_TURN and not heartbeat:
            yield f"{name} has no HeartbeatSeconds"
        elif heartbeat and heartbeat >= timeout:
            yield f"{name}: HeartbeatSeconds is not below TimeoutSeconds"
        retriers = [retry for retrying in (state, *around) for retry in retrying.get("Retry", ())]
        if not any(retry["ErrorEquals"] == ["States.ALL"] for retry in retriers):
            yield f"{name} is not tried again"
        for retry in retriers:
            if retry["MaxAttempts"] and retry.get("JitterStrategy") != "FULL":
                yield f"{name} is tried again without full jitter"
            named = {error for error in retry["ErrorEquals"] if not error.startswith("States.")}
            if unknown := {error for error in named if not hasattr(errors, error)}:
                yield f"{name}: no error of ours is called {sorted(unknown)}"


def message_faults(definition: Definition) -> Iterator[str]:
    """Commands that their consumer would refuse, or that hide which attempt they are."""
    envelope = schemas.find("parts", "Envelope", 1).document
    for name, state in states_in(definition):
        if not _is_answered(state):
            continue
        body = state["Arguments"]["MessageBody"]
        if set(body) != {*envelope["required"], "task_token"}:
            yield f"{name}: its envelope has {sorted(set(body) ^ {*envelope['required']})}"
        schema = schemas.find("commands", body["event_type"], body["schema_version"]).document
        if set(body["data"]) != set(schema["properties"]):
            yield f"{name}: data differs in {sorted(set(body['data']) ^ set(schema['properties']))}"
        if body["data"].get("attempt") != "{% $states.context.State.RetryCount %}":
            yield f"{name}: attempt is not the retry count"
        if body["task_token"] != "{% $states.context.Task.Token %}":
            yield f"{name}: its token is not the task's"
        if body["source"] != "ecommerce-pipeline/saga":
            yield f"{name}: its source is {body['source']}"


def flow_faults(definition: Definition) -> Iterator[str]:
    """States that nobody reaches, ways that lead nowhere, faults that nobody catches."""
    yield from _reach_faults("the saga", definition)
    for name, state in definition["States"].items():
        working = state["Type"] in ("Task", "Parallel", "Map")
        caught = [catch for catch in state.get("Catch", ()) if "States.ALL" in catch["ErrorEquals"]]
        if working and not caught and name not in NOTHING_TO_UNDO:
            yield f"{name} catches nothing"


def variable_faults(definition: Definition) -> Iterator[str]:
    """Expressions that are not closed, and variables that Begin does not set."""
    known = {"states", *definition["States"][definition["StartAt"]]["Assign"]}
    for text in _texts(definition):
        if text.startswith("{%") != text.endswith("%}"):
            yield f"not an expression: {text}"
        if text.startswith("{%"):
            used = re.findall(r"\$([a-z_]+)\b(?!\()", text)
            if unset := set(used) - known:
                yield f"{sorted(unset)} in {text}"


def ways(definition: Definition, start: str, without: set[tuple[str, str]]) -> set[str]:
    """Top-level states reached from `start`, not going the ways of `without` (from, to)."""
    reached, left = set(), [start]
    while left:
        name = left.pop()
        if name not in reached:
            reached.add(name)
            targets = next_states(definition["States"][name])
            left += [target for target in targets if (name, target) not in without]
    return reached


def next_states(state: dict[str, Any]) -> list[str]:
    """Where a state may go: Next, Default, and the targets of its choices and catches."""
    inner = (*state.get("Choices", ()), *state.get("Catch", ()))
    return [part[key] for part in (state, *inner) for key in ("Next", "Default") if key in part]


def _reach_faults(where: str, definition: Definition) -> Iterator[str]:
    states = definition["States"]
    targets = {target for state in states.values() for target in next_states(state)}
    if lost := targets - set(states):
        yield f"{where} goes to {sorted(lost)}, which is not there"
        return
    if unreached := set(states) - ways(definition, definition["StartAt"], set()):
        yield f"{where} never reaches {sorted(unreached)}"
    for name, state in states.items():
        if not next_states(state) and not state.get("End") and state["Type"] not in ENDS:
            yield f"{name} has no end"
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                yield from _reach_faults(name, inner)


def _with_parents(
    definition: Definition, around: tuple[dict[str, Any], ...] = ()
) -> Iterator[tuple[str, dict[str, Any], tuple[dict[str, Any], ...]]]:
    for name, state in definition["States"].items():
        yield name, state, around
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                yield from _with_parents(inner, (*around, state))


def _is_answered(state: dict[str, Any]) -> bool:
    return str(state.get("Resource", "")).endswith(".waitForTaskToken")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else ():
        yield from _texts(part)
    for part in value if isinstance(value, list) else ():
        yield from _texts(part)
