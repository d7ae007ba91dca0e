"""Step Functions as our services see it: executions, task tokens, a describe that lags."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contracts.errors import Transient
from tests.simulation import saga
from tests.simulation.checks import require
from tests.simulation.history import History, HistoryFull
from tests.simulation.hub import Crash, Signal, Task
from tests.simulation.saga import Interpreter, StateFailed

if TYPE_CHECKING:
    from tests.simulation.world import World

PREFIX = "arn:aws:states:us-east-1:000000000000:execution:ecsJob:"
STATUS_CHANGE = "Step Functions Execution Status Change"
LAG_SECONDS = 30.0


class Stopped(Crash):
    """A person called StopExecution."""


@dataclass
class Execution:
    """One execution; `status` as DescribeExecution names it."""

    name: str
    input: Mapping[str, Any]
    status: str = "RUNNING"
    state: str = ""
    cause: str = ""
    ended_at: float | None = None
    output: Any = None
    task: Task | None = field(default=None, repr=False)
    history: History = field(default_factory=History, repr=False)

    @property
    def arn(self) -> str:
        return PREFIX + self.name


@dataclass
class Pending:
    """A task that waits for its token."""

    answered: Signal
    beat_at: float
    output: Any = None
    failure: StateFailed | None = None


class StateMachine:
    """`ecsJob`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens = itertools.count(1)
        self.executions: dict[str, Execution] = {}
        self.pending: dict[str, Pending] = {}

    @property
    def running(self) -> list[Execution]:
        return [one for one in self.executions.values() if one.status == "RUNNING"]

    def start(self, name: str, document: Mapping[str, Any]) -> str:
        """StartExecution; a name that exists is the same execution."""
        if name not in self.executions:
            self._world.promise(lambda: self._runs_nothing_twice(name, document))
            execution = Execution(name, json.loads(json.dumps(document)))
            self.executions[name] = execution
            self._world.tell(f"execution {name} starts")
            execution.task = self._world.hub.spawn(name, lambda: self._live(execution))
        return self.executions[name].arn

    def _runs_nothing_twice(self, name: str, document: Mapping[str, Any]) -> None:
        run = document.get("batch_id"), document.get("attempt")
        others = [
            one.name
            for one in self.executions.values()
            if run[0] and (one.input.get("batch_id"), one.input.get("attempt")) == run
        ]
        require(not others, f"{name} runs what {others} runs already")

    def stop(self, name: str) -> None:
        """StopExecution by a person."""
        execution = self.executions[name]
        if execution.status == "RUNNING" and execution.task is not None:
            self._world.tell(f"execution {name} is stopped by a person in {execution.state}")
            execution.task.kill(Stopped("stopped by a person"))

    def status_of(self, arn: str) -> str | None:
        """DescribeExecution: final status or None; may lag, may be throttled."""
        fault = self._world.touch("DescribeExecution", "stale read")
        execution = self.executions.get(arn.removeprefix(PREFIX))
        if execution is None:
            return "UNKNOWN"
        if execution.ended_at is None:
            return None
        if fault == "stale read" and self._world.hub.now - execution.ended_at < LAG_SECONDS:
            return None
        return execution.status

    def new_token(self) -> str:
        return f"token-{next(self._tokens)}"

    def ask(
        self, token: str, arguments: Mapping[str, Any], timeout: float | None, beat: float | None
    ) -> Any:
        """Send the message and wait for its token; raises StateFailed."""
        hub = self._world.hub
        if self._world.chaos.fault("saga SendMessage", "throttled"):
            raise StateFailed("Sqs.SdkClientException", "the queue cannot be reached")
        pending = self.pending[token] = Pending(Signal(hub), hub.now)
        body = json.dumps(arguments["MessageBody"])
        self._world.queues[arguments["QueueUrl"]].send(body)
        ends = hub.now + (timeout or 1e12)
        try:
            while not pending.answered.given:
                until = min(ends, pending.beat_at + beat) if beat else ends
                if until <= hub.now:
                    kind = "States.Timeout" if ends <= hub.now else "States.HeartbeatTimeout"
                    raise StateFailed(kind, f"{arguments['MessageBody']['event_type']} is silent")
                pending.answered.wait(until - hub.now)
        finally:
            del self.pending[token]
        if pending.failure is not None:
            raise pending.failure
        return pending.output

    def _live(self, execution: Execution) -> None:
        timer = {"over": False}
        timeout = saga.definition()["TimeoutSeconds"]

        def time_out() -> None:
            if not timer["over"] and execution.task is not None:
                execution.task.kill(Crash("States.Timeout"))

        self._world.hub.at(timeout, time_out)
        try:
            execution.history.add("ExecutionStarted")
            walk = Interpreter(self._world, execution, {})
            execution.output = walk.run(self._world.saga, execution.input)
            self._end(execution, "SUCCEEDED", "")
        except StateFailed as failure:
            self._end(execution, "FAILED", str(failure))
        except HistoryFull as full:
            self._end(execution, "FAILED", str(full))
        except Stopped as stop:
            self._end(execution, "ABORTED", str(stop))
        except Crash as crash:
            if not self._world.is_over:
                self._end(execution, "TIMED_OUT", str(crash))
        finally:
            timer["over"] = True

    def _end(self, execution: Execution, status: str, cause: str) -> None:
        execution.status, execution.cause = status, cause
        ended = {"ABORTED": "Aborted", "FAILED": "Failed", "TIMED_OUT": "TimedOut"}
        execution.history.types[f"Execution{ended.get(status, 'Succeeded')}"] += 1
        execution.ended_at = self._world.hub.now
        self._world.tell(f"execution {execution.name} ends {status} {cause}")
        if self._world.chaos.fault("status notice", "notice lost"):
            return
        detail = {"executionArn": execution.arn, "status": status, "cause": cause}
        self._world.bus.publish(STATUS_CHANGE, detail)


class Answers:
    """TaskCallbacks on the simulated machine."""

    def __init__(self, world: World) -> None:
        self._world = world

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """SendTaskSuccess."""
        return self._answer(token, json.loads(json.dumps(output)), None)

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure."""
        self._world.saw_failure(error, cause)
        return self._answer(token, None, StateFailed(error, cause))

    def heartbeat(self, token: str) -> bool:
        """SendTaskHeartbeat."""
        pending = self._world.machine.pending.get(token)
        if pending is None:
            return False
        pending.beat_at = self._world.hub.now
        return True

    def _answer(self, token: str, output: Any, failure: StateFailed | None) -> bool:
        fault = self._world.touch("SendTask", "ambiguous")
        pending = self._world.machine.pending.get(token)
        known = pending is not None and not pending.answered.given
        if pending is not None and known:
            pending.output, pending.failure = output, failure
            pending.answered.give()
        self._world.after("SendTask")
        if fault == "ambiguous":
            raise Transient("SendTaskSuccess: the connection broke")
        return known
