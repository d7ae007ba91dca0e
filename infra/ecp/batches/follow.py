"""Waits until a batch is closed and shows how far it is; what a batch did is `queries.outcome`."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from contracts.envelope import Message
from infra.ecp.batches.progress import Step, StepState, ending, steps, this_attempt
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from infra.ecp.terminal.output import console, painted, print_beside, styled

MARKS = {
    StepState.WAITING: ("·", "dim"),
    StepState.RUNNING: ("▸", "cyan"),
    StepState.DONE: ("✓", "green"),
    StepState.FAILED: ("✗", "red"),
}
STALLED_SECONDS = 20.0
SAID_EVERY_SECONDS = 30.0
"""How often a long wait is told of where nothing can move."""
CHECK_EXECUTION_SECONDS = 5.0

ReadEvents = Callable[[], Sequence[Message]]


class View(Protocol):
    """Where progress is shown."""

    def show(self, found: Sequence[Step]) -> None:
        """The steps as they stand now."""

    def hint(self, text: str) -> None:
        """Something people should know while they wait."""

    def waited(self, seconds: float) -> None:
        """How long the wait has been by now."""


@dataclass(frozen=True)
class Waiting:
    """How long and how often to look; `clock` and `sleep` in seconds."""

    poll_seconds: float
    wait_seconds: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def follow(
    read_events: ReadEvents,
    view: View,
    waiting: Waiting,
    *,
    redrives: int = 0,
    execution_over: Callable[[Sequence[Message]], str | None] = lambda _: None,
) -> list[Message]:
    """The events of the attempt, once it is closed.

    `redrives` is the number of redrives that the attempt waited for comes after.
    `execution_over` is asked now and then whether the execution ended without closing the batch.
    Raises CommandFailed when that is so, or when the batch is not closed in time.
    """
    began = last_news = last_check = waiting.clock()
    seen, hinted = -1, False
    while True:
        events = this_attempt(read_events(), redrives)
        now = waiting.clock()
        if len(events) != seen:
            seen, last_news = len(events), now
            view.show(steps(events))
        if ending(events) is not None:
            return events
        view.waited(now - began)
        if now - began > waiting.wait_seconds:
            raise CommandFailed(_too_long(events, waiting.wait_seconds))
        if now - last_news > STALLED_SECONDS and not hinted:
            hinted = True
            view.hint(_stalled(events))
        if events and now - last_check > CHECK_EXECUTION_SECONDS:
            last_check = now
            over = execution_over(events)
            if over is not None and ending(this_attempt(read_events(), redrives)) is None:
                raise CommandFailed(
                    f"batch {_batch_id(events)}: its execution ended {over} without closing it; "
                    f"`ecp batch {_batch_id(events)}` shows how far it came"
                )
        waiting.sleep(waiting.poll_seconds)


@contextmanager
def no_longer_than_wanted(batch_id: str) -> Iterator[None]:
    """Ctrl-C ends the wait, not the batch, and says so."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise CommandFailed(
            f"stopped waiting; the batch goes on: `ecp batch {batch_id}`", ExitCode.INTERRUPTED
        ) from interrupt


def execution_watch(step_functions: Any) -> Callable[[Sequence[Message]], str | None]:
    """Asks Step Functions how the newest execution of a batch ended; None while it runs."""

    def over(events: Sequence[Message]) -> str | None:
        started = [e for e in events if e.event_type in ("BatchStarted", "LockGranted")]
        if not started:
            return None
        answer = step_functions.describe_execution(executionArn=started[-1].data.execution_id)
        return None if answer["status"] == "RUNNING" else str(answer["status"])

    return over


class LiveView:
    """Steps that change in place, on a terminal."""

    def __init__(self, before: Sequence[Step] = ()) -> None:
        self._before = list(before)
        self._steps: list[Step] = []
        self._hints: list[str] = []
        self._live = Live(console=console(stderr=True), refresh_per_second=12)

    def __enter__(self) -> "LiveView":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, found: Sequence[Step]) -> None:
        """The steps as they stand now."""
        self._steps = list(found)
        self._draw()

    def hint(self, text: str) -> None:
        """A line below the steps."""
        self._hints.append(text)
        self._draw()

    def waited(self, seconds: float) -> None:
        """The steps move while they wait."""

    def _draw(self) -> None:
        lines: list[Any] = [_line(step) for step in (*self._before, *self._steps)]
        lines += [painted(f"  {hint}", "yellow") for hint in self._hints]
        self._live.update(Group(*lines), refresh=True)


class LineView:
    """One line per step as it is done, where nothing can move, and now and then in a long wait.

    `quiet` leaves the steps and hints away.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._said: set[tuple[str, str]] = set()
        self._at: Step | None = None
        self._next_seconds = SAID_EVERY_SECONDS

    def __enter__(self) -> "LineView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def show(self, found: Sequence[Step]) -> None:
        """The steps that are over and were not said before."""
        self._at = next((step for step in found if step.state is StepState.RUNNING), None)
        for step in found:
            over = step.state in (StepState.DONE, StepState.FAILED)
            if over and (step.name, step.detail) not in self._said:
                self._said.add((step.name, step.detail))
                self._print(styled("{} {}", painted(*MARKS[step.state]), _said(step)))

    def hint(self, text: str) -> None:
        """A line of its own."""
        self._print(text)

    def waited(self, seconds: float) -> None:
        """What it waits for, each half minute."""
        if seconds >= self._next_seconds:
            self._next_seconds = seconds + SAID_EVERY_SECONDS
            at = f": {_said(self._at)}" if self._at else ""
            print_beside(f"still waiting after {seconds:.0f} s{at}")

    def _print(self, line: str | Text) -> None:
        if not self._quiet:
            print_beside(line)


def view_for(*, as_json: bool, before: Sequence[Step] = ()) -> LiveView | LineView:
    """What suits standard error: movement on a terminal, else lines; few beside JSON."""
    if console(stderr=True).is_terminal:
        return LiveView(before)
    return LineView(quiet=as_json)


def _line(step: Step) -> Any:
    if step.state is StepState.RUNNING:
        return Spinner("dots", styled("{}", _said(step)), style="cyan")
    return styled("{} {}", painted(*MARKS[step.state]), _said(step))


def _said(step: Step) -> str:
    return f"{step.name:<10} {step.detail}".rstrip()


def _batch_id(events: Sequence[Message]) -> str:
    return str(events[0].correlation_id)


def _too_long(events: Sequence[Message], wait_seconds: float) -> str:
    if not events:
        return (
            f"nothing picked the files up within {wait_seconds:g} s; `ecp status` shows what waits"
        )
    return (
        f"batch {_batch_id(events)} is not closed after {wait_seconds:g} s; it goes on without "
        f"you: `ecp batch {_batch_id(events)}`"
    )


def _stalled(events: Sequence[Message]) -> str:
    if not events:
        return (
            "nothing has picked the files up yet; `ecp status` shows the open set and dead letters"
        )
    return "no news for a while; it goes on if you stop waiting (Ctrl-C)"
