"""`ecp lock show` and `ecp lock break` as people type them, against a moto account."""

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from contracts.envelope import parse
from contracts.messages import BreakLock
from infra.ecp import target
from infra.ecp.lock import commands as lock
from infra.ecp.lock.queries import explain_lock
from infra.ecp.main import app
from infra.ecp.terminal import recorded
from services.lock.domain import Lock
from services.lock.items import lock_item
from tests.contract.builders import BATCH, EXECUTION, OTHER_BATCH
from tests.unit.infra.accounts import Account
from tests.unit.infra.batch_events import BEGAN, an_event
from tests.unit.infra.ecp.cloud.test_status_queries import a_held_lock
from tests.unit.infra.tables import put_items

WHY = ("--reason", "its container is gone")


def ecp(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=typed)


def hold(account: Account, held: Lock) -> None:
    put_items(account.client("dynamodb"), "ProcessingLockTable", [lock_item(held)])


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A batch that transforms, and one that waits; 65 seconds after the first was granted."""
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(lock, "system_clock", lambda: BEGAN + timedelta(seconds=65))
    monkeypatch.setattr(recorded, "WAIT_SECONDS", 0.0)
    made = Account(aws)
    made.record(
        [
            an_event("BatchSealed", file_count=1),
            an_event("LockGranted", fence=7),
            an_event("FileValidated"),
            an_event("TransformStarted"),
        ]
    )
    made.record([an_event("LockQueued", batch_id=OTHER_BATCH, execution_id="arn:other")] * 2)
    hold(made, a_held_lock())
    return made


def asked_of_the_lock(account: Account) -> list[BreakLock]:
    answer = account.client("sqs").receive_message(QueueUrl=account.lock_commands)
    commands = [parse(message["Body"]) for message in answer.get("Messages", ())]
    assert [command.task_token for command in commands] == [None] * len(commands)
    return [command.data for command in commands]


def broken_and_free(account: Account) -> None:
    account.record([an_event("LockRecovered", fence=7, detail="broken by dana@host: it hangs")])


def test_show_tells_how_long_doing_what_and_who_waits_since_when(account: Account) -> None:
    shown = ecp("lock", "show").stdout
    assert f"held by batch {BATCH} since 2025-07-07T12:00:00.000Z (1 min 5 s), fence 7" in shown
    assert "doing Transform: transforming with" in shown
    assert "2025-07-07T12:00:05.000Z" in shown
    assert "1 min 0 s" in shown
    found = json.loads(ecp("lock", "show", "--json").stdout)
    assert (found["held_seconds"], found["doing"]["step"]) == (65.0, "Transform")
    assert found["waiters"] == [
        {
            "execution_id": "arn:other",
            "batch_id": OTHER_BATCH,
            "waiting_since": "2025-07-07T12:00:05.000Z",
            "waiting_seconds": 60.0,
        }
    ]


@pytest.mark.parametrize(
    ("events", "step"),
    [
        (["LockGranted"], "Validate"),
        (["LockGranted", "FileValidated", "TransformStarted", "KpisPublished"], "Archive"),
        (["LockGranted", "BatchFailed"], "Ended"),
        (["BatchFailed", "BatchRedriven", "LockGranted"], "Validate"),
    ],
)
def test_what_the_holder_does_is_the_step_that_runs(events: list[str], step: str) -> None:
    story = [an_event(name, n) for n, name in enumerate(events)]
    held = {"held": True, "batch_id": BATCH, "granted_at": "2025-07-07T12:00:00.000Z"}
    found = explain_lock({**held, "waiters": []}, lambda _: story, BEGAN)
    assert found["doing"]["step"] == step


def test_a_break_shows_the_holder_and_sends_who_and_why_and_the_fence(account: Account) -> None:
    broken_and_free(account)
    said = ecp("lock", "break", *WHY, "--yes")
    assert said.exit_code == 0, said.stderr
    assert EXECUTION in said.stdout
    assert "doing Transform" in said.stdout
    assert "lock taken back, fence 7: broken by dana@host: it hangs" in said.stdout
    assert f"`ecp redrive {BATCH}` runs it again once it is FAILED" in said.stdout
    [command] = asked_of_the_lock(account)
    assert (command.fence, command.reason) == (7, "its container is gone")
    assert "@" in command.requested_by


def test_a_break_says_for_programs_who_holds_the_lock_now(account: Account) -> None:
    broken_and_free(account)
    document = json.loads(ecp("lock", "break", *WHY, "--yes", "--json").stdout)
    assert document["broken"] is True
    assert document["lock"]["batch_id"] == BATCH


def test_a_holder_that_gave_the_lock_back_meanwhile_was_not_broken(account: Account) -> None:
    account.record([an_event("LockReleased", fence=7)])
    document = json.loads(ecp("lock", "break", *WHY, "--yes", "--json").stdout)
    assert (document["broken"], document["said"]) == (False, "lock released, fence 7")


@pytest.mark.parametrize(
    "arguments",
    [
        ("lock", "break"),
        ("lock", "break", *WHY),
        ("lock", "break", *WHY, "--json"),
        ("lock", "break", "--reason", " ", "--yes"),
    ],
)
def test_without_a_reason_or_anybody_to_ask_nothing_is_broken(
    account: Account, arguments: tuple[str, ...]
) -> None:
    assert ecp(*arguments).exit_code == 2
    assert asked_of_the_lock(account) == []


@pytest.mark.parametrize(("typed", "asked"), [("n\n", 0), ("y\n", 1)])
def test_a_person_is_asked_before_anything_is_sent(
    account: Account, monkeypatch: pytest.MonkeyPatch, typed: str, asked: int
) -> None:
    monkeypatch.setattr(lock, "_somebody_is_there", lambda: True)
    broken_and_free(account)
    said = ecp("lock", "break", *WHY, typed=typed)
    assert "Take the lock from it?" in said.stdout
    assert len(asked_of_the_lock(account)) == asked


def test_a_lock_that_is_not_taken_in_time_is_a_failure_that_says_where_to_look(
    account: Account,
) -> None:
    account.record([an_event("LockRecovered", fence=3)])
    said = ecp("lock", "break", *WHY, "--yes")
    assert said.exit_code == 3
    assert "`ecp dlq show lock-commands-dlq`" in said.stderr


def test_a_free_lock_needs_no_breaking(account: Account) -> None:
    hold(account, Lock())
    said = ecp("lock", "break", *WHY, "--yes")
    assert (said.exit_code, said.stdout) == (0, "nothing to break: the lock is free\n")
    document = json.loads(ecp("lock", "break", *WHY, "--yes", "--json").stdout)
    assert (document["broken"], document["lock"]["held"]) == (False, False)
    assert asked_of_the_lock(account) == []
