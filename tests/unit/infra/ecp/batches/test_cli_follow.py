"""Waiting for a batch: until it is closed, not longer than allowed, and never in the dark."""

from collections.abc import Sequence
from typing import Any

import pytest

from contracts.envelope import Message
from infra.ecp.batches.follow import LineView, LiveView, Waiting, execution_watch, follow, view_for
from infra.ecp.batches.progress import Step, StepState
from infra.ecp.terminal.errors import CommandFailed
from tests.unit.infra.batch_events import BATCH, EXECUTION, an_event, completed_batch


class FakeTime:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def waiting(self, wait_seconds: float = 60.0) -> Waiting:
        return Waiting(1.0, wait_seconds, clock=lambda: self.now, sleep=self.sleep)


class Heard:
    """A view that remembers."""

    def __init__(self) -> None:
        self.shown: list[Sequence[Step]] = []
        self.hints: list[str] = []

    def show(self, found: Sequence[Step]) -> None:
        self.shown.append(found)

    def hint(self, text: str) -> None:
        self.hints.append(text)

    def waited(self, seconds: float) -> None:
        """Nothing to remember."""


class Growing:
    """A store in which one more event can be read each time."""

    def __init__(self, events: Sequence[Message], from_read: int = 0) -> None:
        self._events, self._reads = events, -from_read

    def __call__(self) -> Sequence[Message]:
        self._reads += 1
        return self._events[: max(0, self._reads)]


def test_every_step_is_shown_as_it_comes_and_the_events_are_returned() -> None:
    view, story = Heard(), completed_batch()
    assert follow(Growing(story), view, FakeTime().waiting()) == story
    assert len(view.shown) == len(story)
    assert {step.state for step in view.shown[-1]} == {StepState.DONE}
    assert view.hints == []


def test_nothing_new_is_not_shown_again() -> None:
    view = Heard()
    with pytest.raises(CommandFailed):
        follow(lambda: completed_batch()[:3], view, FakeTime().waiting(10))
    assert len(view.shown) == 1


def test_a_batch_that_nobody_picks_up_ends_the_wait_with_advice() -> None:
    view = Heard()
    with pytest.raises(CommandFailed, match="nothing picked the files up within 60 s"):
        follow(list, view, FakeTime().waiting())
    assert view.hints == [
        "nothing has picked the files up yet; `ecp status` shows the open set and dead letters"
    ]


def test_a_batch_that_is_not_closed_in_time_goes_on_without_us() -> None:
    said = rf"batch {BATCH} is not closed after 60 s; it goes on without you: `ecp batch {BATCH}`"
    with pytest.raises(CommandFailed, match=said):
        follow(lambda: completed_batch()[:3], Heard(), FakeTime().waiting())


def test_an_execution_that_ended_without_closing_the_batch_is_told() -> None:
    with pytest.raises(CommandFailed, match="its execution ended ABORTED without closing it"):
        follow(
            lambda: completed_batch()[:3],
            Heard(),
            FakeTime().waiting(),
            execution_over=lambda _: "ABORTED",
        )


def test_a_close_that_came_just_before_the_execution_ended_counts() -> None:
    story, closed = completed_batch(), False

    def over(_: Sequence[Message]) -> str:
        nonlocal closed
        closed = True
        return "SUCCEEDED"

    def read() -> Sequence[Message]:
        return story if closed else story[:3]

    assert follow(read, Heard(), FakeTime().waiting(), execution_over=over) == story


def test_the_execution_is_asked_for_now_and_then_only() -> None:
    asked: list[int] = []

    def over(events: Sequence[Message]) -> None:
        asked.append(len(events))

    with pytest.raises(CommandFailed):
        follow(lambda: completed_batch()[:3], Heard(), FakeTime().waiting(60), execution_over=over)
    assert len(asked) == 10


def test_who_asked_for_a_redrive_waits_for_the_end_after_it() -> None:
    old = [an_event("BatchSealed"), an_event("BatchFailed", 1)]
    new = [an_event("BatchRedriven", 2), an_event("BatchCompleted", 3)]
    found = follow(Growing([*old, *new], 2), Heard(), FakeTime().waiting(), redrives=1)
    assert found == new


class OneExecution:
    """A Step Functions with one execution."""

    def __init__(self, status: str) -> None:
        self._status = status

    def describe_execution(self, executionArn: str) -> dict[str, Any]:
        assert executionArn == EXECUTION
        return {"status": self._status}


def test_an_execution_is_over_when_step_functions_says_so() -> None:
    started = [an_event("BatchStarted")]
    assert execution_watch(OneExecution("RUNNING"))(started) is None
    assert execution_watch(OneExecution("TIMED_OUT"))(started) == "TIMED_OUT"
    assert execution_watch(OneExecution("FAILED"))([an_event("BatchSealed")]) is None


SOME_STEPS = [
    Step("Seal", StepState.DONE, "batch 3f2a: 3 [files]"),
    Step("Lock", StepState.RUNNING, "number 2 in line"),
    Step("Close", StepState.WAITING),
]


def test_without_a_terminal_each_step_that_is_over_is_one_line_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LineView() as view:
        view.show(SOME_STEPS)
        view.show(SOME_STEPS)
        view.hint("patience")
    said = capsys.readouterr()
    assert said.err == "✓ Seal       batch 3f2a: 3 [files]\npatience\n"
    assert said.out == ""


def test_beside_json_no_step_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with view_for(as_json=True) as view:
        view.show(SOME_STEPS)
        view.hint("patience")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("as_json", [True, False])
def test_a_long_wait_is_told_now_and_then_on_standard_error(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with view_for(as_json=as_json) as view, pytest.raises(CommandFailed):
        follow(lambda: completed_batch()[:2], view, FakeTime().waiting(70))
    said = capsys.readouterr()
    waited = [line for line in said.err.splitlines() if line.startswith("still waiting")]
    assert waited == [f"still waiting after {seconds} s: Lock" for seconds in (30, 60)]
    assert said.out == ""


def test_on_a_terminal_steps_and_hints_are_drawn_in_place(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LiveView() as view:
        view.show(SOME_STEPS)
        view.hint("patience")
    said = capsys.readouterr().err
    assert "3 [files]" in said
    assert "number 2 in line" in said
    assert "patience" in said
