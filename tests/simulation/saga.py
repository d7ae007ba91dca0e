"""Runs infra/stacks/saga.asl.json: its own states, JSONata and retries, on the simulated clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonata

from contracts.clock import to_rfc3339
from tests.simulation.history import (
    MAX_PAYLOAD_BYTES,
    NOT_CAUGHT_BY_ALL,
    payload_bytes,
)
from tests.simulation.hub import Crash, Signal, Task

if TYPE_CHECKING:
    from tests.simulation.step_functions import Execution
    from tests.simulation.world import World

DEFINITION = Path(__file__).parents[2] / "infra/stacks/saga.asl.json"
Json = Any
MAX_REMEMBERED = 20_000
_MEMORY: dict[tuple[str, str], Json] = {}
_PATH = re.compile(r"\$(\w+)((?:\.\w+)*)")


class StateFailed(Exception):
    """A state ended with an error that its Retry and Catch may match."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


@cache
def definition() -> dict[str, Any]:
    """The state machine as it is deployed, before its substitutions."""
    document: dict[str, Any] = json.loads(DEFINITION.read_text())
    return document


class Interpreter:
    """One execution's walk through a machine; branches are interpreters of their own."""

    def __init__(self, world: World, execution: Execution, variables: dict[str, Json]) -> None:
        self._world, self._execution, self.variables = world, execution, variables

    def run(self, machine: Mapping[str, Any], value: Json) -> Json:
        """From StartAt to an end state; raises StateFailed for Fail and what nobody caught."""
        name: str | None = machine["StartAt"]
        while name is not None:
            state = machine["States"][name]
            value, name = self._enter(name, state, value)
        return value

    def _enter(self, name: str, state: Mapping[str, Any], value: Json) -> tuple[Json, str | None]:
        self._execution.state = name
        self._execution.history.add(f"{state['Type']}StateEntered")
        _fits(value, f"the input of {name}")
        entered = to_rfc3339(self._world.true_time())
        retries: dict[int, int] = {}
        while True:
            context = {
                "Execution": {"Id": self._execution.arn, "Name": self._execution.name},
                "State": {
                    "Name": name,
                    "EnteredTime": entered,
                    "RetryCount": sum(retries.values()),
                },
            }
            try:
                output, following = self._do(state, {"input": value, "context": context})
                _fits(output, f"the output of {name}")
                self._execution.history.add(f"{state['Type']}StateExited")
                return output, following
            except StateFailed as failure:
                if state["Type"] in ("Map", "Parallel"):
                    self._execution.history.add(f"{state['Type']}StateFailed")
                delay = self._retry_delay(state, failure, retries)
                if delay is None:
                    return self._caught(name, state, failure, {"input": value, "context": context})
                self._world.tell(f"{self._execution.name} {name} retries after {failure}")
                self._world.hub.sleep(delay)

    def _do(self, state: Mapping[str, Any], states: dict[str, Json]) -> tuple[Json, str | None]:
        following = state.get("Next")
        match state["Type"]:
            case "Pass":
                return self._leave(state, states, states["input"]), following
            case "Wait":
                self._world.hub.sleep(self._value(state["Seconds"], states))
                return self._leave(state, states, states["input"]), following
            case "Succeed":
                return self._leave(state, states, states["input"]), None
            case "Choice":
                for rule in state["Choices"]:
                    if self._value(rule["Condition"], states) is True:
                        return self._leave(rule, states, states["input"]), rule["Next"]
                return states["input"], state["Default"]
            case "Fail":
                raise StateFailed(
                    self._value(state["Error"], states), self._value(state["Cause"], states)
                )
            case "Task":
                result = self._task(state, states)
            case "Parallel":
                branches = [(branch, states["input"]) for branch in state["Branches"]]
                result = self._side_by_side("Parallel", branches, len(branches))
            case "Map":
                items = self._value(state["Items"], states)
                processor = state["ItemProcessor"]
                at_once = self._value(state.get("MaxConcurrency"), states) or len(items)
                work = [(processor, item) for item in items]
                result = self._side_by_side("Map", work, at_once)
            case unknown:
                raise AssertionError(f"the simulation does not know states of type {unknown}")
        return self._leave(state, {**states, "result": result}, result), following

    def _leave(self, state: Mapping[str, Any], states: dict[str, Json], value: Json) -> Json:
        """Output and Assign both see the variables as they were."""
        output = self._value(state["Output"], states) if "Output" in state else value
        assigned = self._value(state.get("Assign", {}), states)
        self.variables.update(assigned)
        return output

    def _caught(
        self, name: str, state: Mapping[str, Any], failure: StateFailed, states: dict[str, Json]
    ) -> tuple[Json, str]:
        error_output = {"Error": failure.error, "Cause": failure.cause}
        for catcher in state.get("Catch", ()):
            if _matches(catcher["ErrorEquals"], failure.error):
                self._world.tell(f"{self._execution.name} {name} caught {failure}")
                value = self._leave(catcher, {**states, "errorOutput": error_output}, error_output)
                self._execution.history.add(f"{state['Type']}StateExited")
                return value, catcher["Next"]
        raise failure

    def _retry_delay(
        self, state: Mapping[str, Any], failure: StateFailed, retries: dict[int, int]
    ) -> float | None:
        for number, retrier in enumerate(state.get("Retry", ())):
            if not _matches(retrier["ErrorEquals"], failure.error):
                continue
            done = retries.get(number, 0)
            if done >= retrier.get("MaxAttempts", 3):
                return None
            retries[number] = done + 1
            longest = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2) ** done
            longest = min(longest, retrier.get("MaxDelaySeconds", longest))
            if retrier.get("JitterStrategy") == "FULL":
                return self._world.chaos.uniform("saga jitter", 0, longest)
            return float(longest)
        return None

    def _task(self, state: Mapping[str, Any], states: dict[str, Json]) -> Json:
        """One attempt: scheduled, started, submitted where it waits for a token, and its end."""
        history = self._execution.history
        history.add("TaskScheduled", "TaskStarted")
        try:
            result = self._called(state, states)
            _fits(result, f"the result of {state['Resource']}")
        except StateFailed as failure:
            timed_out = failure.error in ("States.Timeout", "States.HeartbeatTimeout")
            history.add("TaskTimedOut" if timed_out else "TaskFailed")
            raise
        history.add("TaskSucceeded")
        return result

    def _called(self, state: Mapping[str, Any], states: dict[str, Json]) -> Json:
        resource = state["Resource"].removeprefix("arn:aws:states:::")
        context = states["context"]
        if resource == "sqs:sendMessage.waitForTaskToken":
            context["Task"] = {"Token": self._world.machine.new_token()}
            arguments = self._value(state["Arguments"], states)
            _fits(arguments, f"the arguments of {resource}")
            self._execution.history.add("TaskSubmitted")
            return self._world.machine.ask(
                context["Task"]["Token"],
                arguments,
                state.get("TimeoutSeconds"),
                state.get("HeartbeatSeconds"),
            )
        arguments = self._value(state["Arguments"], states)
        if self._world.chaos.fault(resource, "no capacity"):
            raise StateFailed("States.TaskFailed", f"{resource} has no capacity")
        if resource == "aws-sdk:ecs:describeServices":
            [name] = arguments["Services"]
            return self._world.containers.describe(name)
        if resource == "aws-sdk:ecs:updateService":
            self._world.containers.want(arguments["Service"], arguments["DesiredCount"])
            return {"Service": {}}
        if resource == "sns:publish":
            self._world.people.published(arguments["Subject"], arguments["Message"])
            return {"MessageId": "1"}
        raise AssertionError(f"the simulation does not know the resource {resource}")

    def _side_by_side(
        self, kind: str, work: list[tuple[Mapping[str, Any], Json]], at_once: int
    ) -> list[Json]:
        """Each in an interpreter of its own; the first failure stops the others."""
        history = self._execution.history
        history.add(f"{kind}StateStarted")
        is_map = kind == "Map"
        hub, waiting = self._world.hub, list(enumerate(work))
        changed = Signal(hub)
        running: dict[int, Task] = {}
        results: dict[int, Json] = {}
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    index, (machine, value) = waiting.pop(0)
                    if is_map:
                        history.add("MapIterationStarted")
                    running[index] = self._branch(machine, value, changed)
                changed.wait()
                changed.take_back()
                for index, task in list(running.items()):
                    if task.done.given:
                        del running[index]
                        if task.error is not None:
                            if is_map:
                                history.add("MapIterationFailed")
                            raise task.error
                        if is_map:
                            history.add("MapIterationSucceeded")
                        results[index] = task.result
        finally:
            history.stopped(kind, len(running))
            for task in running.values():
                task.kill(Crash("another branch failed"))
        together = [results[index] for index in sorted(results)]
        _fits(together, f"the results of a {kind}")
        history.add(f"{kind}StateSucceeded")
        return together

    def _branch(self, machine: Mapping[str, Any], value: Json, changed: Signal) -> Task:
        inner = Interpreter(self._world, self._execution, dict(self.variables))

        def run() -> Json:
            try:
                return inner.run(machine, value)
            finally:
                changed.give()

        return self._world.hub.spawn(f"{self._execution.name} branch", run)

    def _value(self, template: Json, states: dict[str, Json]) -> Json:
        """Every `{% expression %}` in a template replaced by what it gives."""
        if isinstance(template, dict):
            return {name: self._value(one, states) for name, one in template.items()}
        if isinstance(template, list):
            return [self._value(one, states) for one in template]
        if isinstance(template, str):
            if template.startswith("{%"):
                return self._evaluate(template[2:-2].strip(), states)
            if template.startswith("${"):
                return self._world.substitutions.get(template[2:-1], template)
        return template

    def _evaluate(self, expression: str, states: dict[str, Json]) -> Json:
        if expression == "$uuid()":
            return self._world.new_id()
        path = _PATH.fullmatch(expression)
        if path:
            return _look_up(expression, path, self.variables, states)
        return _remembered(expression, {**self.variables, "states": states})


def _remembered(expression: str, variables: Mapping[str, Json]) -> Json:
    """What the same expression gave for the same values: all of them are pure but `$uuid()`."""
    key = expression, repr([_lenient(path, variables) for path in _paths_in(expression)])
    if key not in _MEMORY:
        if len(_MEMORY) > MAX_REMEMBERED:
            _MEMORY.clear()
        _MEMORY[key] = evaluate(expression, variables)
    return _MEMORY[key]


@cache
def _paths_in(expression: str) -> tuple[tuple[str, ...], ...]:
    found = {(one[1], *one[2].split(".")[1:]) for one in _PATH.finditer(expression)}
    return tuple(sorted(found))


def _lenient(path: tuple[str, ...], variables: Mapping[str, Json]) -> Json:
    value: Json = variables
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return ("up to", name, value) if value is not variables else None
        value = value[name]
    return value


def evaluate(expression: str, variables: Mapping[str, Json]) -> Json:
    """A JSONata expression's value; raises StateFailed (States.QueryEvaluationError)."""
    compiled = _compiled(expression)
    frame = compiled.create_frame()
    for name, value in variables.items():
        frame.bind(name, value)
    try:
        return compiled.evaluate(None, frame)
    except jsonata.JException as error:
        raise StateFailed("States.QueryEvaluationError", f"{expression}: {error}") from error


@cache
def _compiled(expression: str) -> Any:
    return jsonata.Jsonata(expression)


def _look_up(
    expression: str, path: re.Match[str], variables: Mapping[str, Json], states: Mapping[str, Json]
) -> Json:
    """A plain path, most expressions by far, without the interpreter."""
    names = [path[1], *path[2].split(".")[1:]]
    value: Json = {**variables, "states": states}
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            raise StateFailed("States.QueryEvaluationError", f"{expression} is undefined")
        value = value[name]
    return value


def _matches(patterns: list[str], error: str) -> bool:
    timeouts = error == "States.HeartbeatTimeout" and "States.Timeout" in patterns
    by_all = "States.ALL" in patterns and error not in NOT_CAUGHT_BY_ALL
    return error in patterns or by_all or timeouts


def _fits(value: Json, what: str) -> None:
    size = payload_bytes(value)
    if size > MAX_PAYLOAD_BYTES:
        raise StateFailed("States.DataLimitExceeded", f"{what} has {size} bytes")
