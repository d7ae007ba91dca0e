"""`ecp lock`: who may write, who waits for it, and taking it from a holder that hangs."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.messages import BreakLock
from infra.ecp.lock.queries import explain_lock, how_it_was_given_up, read_lock
from infra.ecp.names import SOURCE
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import confirm, print_json, print_line, print_table, styled
from infra.ecp.terminal.recorded import until_recorded
from services.api.views.sentences import describe
from services.runtime.wording import duration

app = typer.Typer(help="The single-writer lock: one batch writes at a time.")


@app.callback()
def lock() -> None:
    """The single-writer lock: one batch writes at a time."""


@app.command()
def show(as_json: AsJson = False) -> None:
    """Who holds the lock, since when and until when, what it is doing, and who waits.

    A holder that died loses the lock when its execution ends or its lease runs out.

    Example: `ecp lock show`
    """
    found = _explained(current_target())
    if as_json:
        print_json(found)
    else:
        _print_lock(found)


@app.command("break")
def break_lock(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded with your name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the lock from a holder that hangs; the next in line gets it.

    It is safe while the holder still runs: what it writes afterwards is refused, and its batch
    ends FAILED, unless it was done before anyone else wrote. `ecp redrive ID` runs it again.

    Example: `ecp lock break --reason "its container is gone"`
    """
    if not reason.strip():
        raise WrongUsage("--reason is empty: say why, for those who read the batch's story")
    if not yes and (as_json or not _somebody_is_there()):
        raise WrongUsage("nobody can be asked here: say --yes too")
    target = current_target()
    before = _explained(target)
    if not before["held"]:
        _say_that_it_is_free(before, as_json=as_json)
        return
    if not as_json:
        _print_lock(before)
    if not yes:
        confirm("Take the lock from it?")
    command = break_command(
        before, requester(), reason.strip(), new_event_id(), to_rfc3339(system_clock())
    )
    target.client("sqs").send_message(
        QueueUrl=target.names.lock_commands_url, MessageBody=command.to_json()
    )
    given_up = until_recorded(
        lambda: _given_up(target, before),
        missing=f"the lock was not taken from batch {before['batch_id']}",
        tells="`ecp lock show`",
        queue="lock-commands",
    )
    _say_how_it_went(given_up, _explained(target), as_json=as_json)


def break_command(
    held: Mapping[str, Any], requested_by: str, reason: str, message_id: str, now: str
) -> Message:
    """The command that the lock takes; it names the fence that was seen, and carries no token."""
    command = BreakLock(
        lock_id=held["lock_id"], fence=held["fence"], requested_by=requested_by, reason=reason
    )
    context = MessageContext(SOURCE, held["batch_id"])
    return unanswered_command(command, context, f"lock/{held['lock_id']}", message_id, now)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


def _explained(target: Target) -> dict[str, Any]:
    found = read_lock(target.client("dynamodb"))
    return explain_lock(
        found, lambda batch_id: target.event_store.read_correlated(batch_id), system_clock()
    )


def _given_up(target: Target, held: Mapping[str, Any]) -> Message | None:
    events = target.event_store.read_correlated(held["batch_id"])
    return how_it_was_given_up(events, held["fence"])


def _say_how_it_went(given_up: Message, after: Mapping[str, Any], *, as_json: bool) -> None:
    broken = given_up.event_type == "LockRecovered"
    if as_json:
        print_json({"broken": broken, "said": describe(given_up), "lock": after})
        return
    print_line(describe(given_up))
    _print_lock(after)
    if broken:
        batch_id = given_up.correlation_id
        print_line(
            f"`ecp batch {batch_id}` shows how its batch ends; "
            f"`ecp redrive {batch_id}` runs it again once it is FAILED"
        )


def _say_that_it_is_free(free: Mapping[str, Any], *, as_json: bool) -> None:
    said = "nothing to break: the lock is free"
    if as_json:
        print_json({"broken": False, "said": said, "lock": free})
    else:
        print_line(said)


def _print_lock(found: Mapping[str, Any]) -> None:
    if not found["held"]:
        print_line(styled("the lock is [bold green]free[/]"))
        return
    print_line(
        styled(
            "the lock is [bold yellow]held[/] by batch [bold]{}[/] since {} ({}), fence {}, "
            "lease until {}",
            found["batch_id"],
            found["granted_at"],
            duration(found["held_seconds"]),
            found["fence"],
            found["lease_until"],
        )
    )
    print_line(f"execution {found['execution_id']}")
    doing = found["doing"]
    detail = f": {doing['detail']}" if doing["detail"] else ""
    print_line(f"doing {doing['step']}{detail}")
    if found["waiters"]:
        print_table(
            "In line",
            ("turn", "batch", "waiting since", "for", "execution"),
            [
                (
                    turn,
                    waiter["batch_id"],
                    waiter["waiting_since"],
                    duration(waiter["waiting_seconds"]),
                    waiter["execution_id"],
                )
                for turn, waiter in enumerate(found["waiters"], start=1)
            ],
        )
