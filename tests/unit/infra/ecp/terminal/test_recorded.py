"""What a command led to is waited for, and a person is told what may still be."""

import pytest

from infra.ecp.terminal import recorded
from infra.ecp.terminal.errors import CommandFailed
from infra.ecp.terminal.recorded import WAIT_SECONDS, until_recorded


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECP_POLL_SECONDS", "0.001")


def test_it_is_looked_for_until_it_is_there() -> None:
    answers = iter([None, None, []])  # an empty list is an answer
    assert until_recorded(lambda: next(answers), missing="-", tells="-", queue="-") == []


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def test_it_is_looked_for_as_often_as_the_settings_say_and_no_longer_than_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And once more when the time is over: what came during the last nap is there."""
    clock, looks = Clock(), iter(range(100))
    monkeypatch.setenv("ECP_POLL_SECONDS", "5")
    monkeypatch.setattr(recorded, "time", clock)

    def came_last() -> str | None:
        return "there" if next(looks) == WAIT_SECONDS / 5 else None

    assert until_recorded(came_last, missing="-", tells="-", queue="-") == "there"
    assert clock.naps == [5] * int(WAIT_SECONDS / 5)
    with pytest.raises(CommandFailed):
        until_recorded(lambda: None, missing="-", tells="-", queue="-")
    assert clock.naps == [5] * 2 * int(WAIT_SECONDS / 5)


def test_what_does_not_come_is_said_with_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "WAIT_SECONDS", 0.0)
    with pytest.raises(CommandFailed) as failed:
        until_recorded(
            lambda: None,
            missing="the release is not recorded",
            tells="`ecp status`",
            queue="aggregator-commands",
        )
    assert str(failed.value) == (
        "the release is not recorded within 0 s, and may still be: `ecp status` tells, "
        "`ecp dlq show aggregator-commands-dlq` says if it could not be done"
    )
