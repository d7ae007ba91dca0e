"""What a command led to is waited for, and a person is told what may still be."""

import pytest

from infra.cli import recorded
from infra.cli.errors import CommandFailed
from infra.cli.recorded import until_recorded


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECP_POLL_SECONDS", "0.001")


def test_it_is_looked_for_until_it_is_there() -> None:
    answers = iter([None, None, []])  # an empty list is an answer
    assert until_recorded(lambda: next(answers), missing="-", tells="-", queue="-") == []


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
