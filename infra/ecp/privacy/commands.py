"""`ecp privacy`: erasing one user everywhere, the receipts of it, and new pseudonyms for all."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from contracts.clock import system_clock
from contracts.file_contracts import file_contract
from contracts.layout import erasure_receipt_key
from contracts.messages import ErasureReceipt
from infra.ecp.privacy import erasure
from infra.ecp.privacy.erasing import Erasing
from infra.ecp.privacy.rotating import Rotating
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import confirm, print_json, print_line, print_note, print_table
from services.runtime.csv_files.row_checks import field_check, passed
from services.runtime.privacy.user_ids import USER_COLUMN
from services.runtime.wording import plural

SHOWN_OBJECTS = 50
app = typer.Typer(help="Erasing one user everywhere; new pseudonyms for all.")
User = Annotated[
    str,
    typer.Argument(metavar="USER", help="The user_id of the files; `-`: a line of stdin."),
]


@app.callback()
def privacy() -> None:
    """Erasing one user everywhere; new pseudonyms for all."""


@app.command()
def erase(
    user: User,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say where the user is, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase one user from facts, archive, quarantine and leftover uploads, with a receipt.

    The orders stay, under a random token that nobody can lead back to the user: every KPI stays
    what it is. What waits to be processed, or a failed batch would read again, is named first.
    Asking again finishes what was cut short.

    Example: `ecp privacy erase 1001 --dry-run`
    """
    if not dry_run and not yes and (as_json or not sys.stdin.isatty() or user == "-"):
        raise WrongUsage("nobody can be asked here: say --yes too")
    work = Erasing(current_target(), _user_id(user))
    uploads = work.uploads()
    if dry_run:
        _show_plan(work.plan(uploads), as_json=as_json)
        return
    if uploads.obstacles:
        raise CommandFailed("nothing was erased: " + "\n".join(uploads.obstacles))
    if not yes:
        confirm("Erase this user everywhere, for good?")
    before = work.receipts()
    receipt = work.run(uploads, quietly=as_json)
    _show_receipt(receipt, before, work.target, as_json=as_json)


@app.command("receipts")
def list_receipts(
    user: Annotated[
        str | None,
        typer.Argument(metavar="[USER]", help="Only of this user_id; `-`: one line of stdin."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What was erased and when; with a user_id: whether that user was erased.

    A receipt names nobody. The user's own is found by a keyed digest of the id.

    Example: `ecp privacy receipts 1001`
    """
    target = current_target()
    if user is None:
        found = erasure.receipts(target.client("s3"), target.names.archive_bucket)
    else:
        found = Erasing(target, _user_id(user)).receipts()
    if as_json:
        print_json([receipt.model_dump() for receipt in found])
        return
    print_table(
        "Erasures",
        ("erasure", "finished", "by", "orders in the facts", "rows elsewhere", "not searched"),
        [
            (
                receipt.erasure_id,
                receipt.finished_at,
                receipt.requested_by,
                receipt.facts.rows,
                sum(place.rows + place.uncertain_rows for place in receipt.places),
                len(receipt.unsearched),
            )
            for receipt in found
        ],
    )


@app.command("rotate-key")
def rotate_key(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would touch, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add a key to the pseudonyms: the facts are rewritten with it, and every number stays.

    The same user stays the same, in old orders and in new ones. Older snapshots go, with the old
    pseudonyms; so `ecp diff` of earlier batches does too. Asking again finishes what was cut short.

    Example: `ecp privacy rotate-key --dry-run`
    """
    if not dry_run and not yes and (as_json or not sys.stdin.isatty()):
        raise WrongUsage("nobody can be asked here: say --yes too")
    work = Rotating(current_target())
    if dry_run:
        plan = work.plan()
        if as_json:
            print_json(plan)
        else:
            _show_rotation(plan)
        return
    if obstacles := work.obstacles():
        raise CommandFailed("nothing was rotated: " + "\n".join(obstacles))
    if not yes:
        confirm("Give every user in the facts a new pseudonym?")
    done = work.run(quietly=as_json)
    if as_json:
        print_json(done.model_dump())
        return
    print_line(
        f"generation {done.generation}: new pseudonyms in {plural(done.rows, 'order')} of "
        f"{plural(done.days, 'day')}, {plural(done.expired_snapshots, 'snapshot')} dropped, "
        f"{plural(done.deleted_files, 'file')} deleted"
    )


def _show_rotation(plan: dict[str, Any]) -> None:
    for obstacle in plan["obstacles"]:
        print_note(f"in the way: {obstacle}")
    if plan["unfinished"]:
        print_note("a rotation was cut short: it would be finished, with its key")
    facts = plan["facts"]
    print_line(
        f"generation {plan['generation']} becomes {plan['next_generation']}: "
        f"{plural(facts['rows'], 'order')} of {plural(facts['days'], 'day')} would be rewritten, "
        f"{plural(facts['snapshots'], 'snapshot')} of them dropped"
    )


def _user_id(user: str) -> str:
    """The id as the validator would read it; raises WrongUsage when no row could state it."""
    text = (sys.stdin.readline() if user == "-" else user).strip(" \t\r\n")
    [column] = [each for each in file_contract("orders").fields if each.name == USER_COLUMN]
    user_id = passed(field_check(column, system_clock().date()), text)
    if user_id is None:
        raise WrongUsage(f"{text!r} is no user_id that a file could state: 1 to 64 characters")
    return str(user_id)


def _show_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    for obstacle in plan["obstacles"]:
        print_note(f"in the way: {obstacle}")
    print_table(
        "Objects that hold the user",
        ("place", "object", "stands"),
        [(each["place"], each["key"], each["is_current"]) for each in plan["objects"]],
        limit=SHOWN_OBJECTS,
    )
    facts = plan["facts"]
    print_line(
        f"facts: {plural(facts['rows'], 'order')} of {plural(facts['days'], 'day')}, "
        "in " + plural(facts["snapshots"], "kept snapshot")
    )
    _show_unsearched(plan["unsearched"])


def _show_receipt(
    receipt: ErasureReceipt, before: Sequence[ErasureReceipt], target: Target, *, as_json: bool
) -> None:
    where = f"s3://{target.names.archive_bucket}/{erasure_receipt_key(receipt.erasure_id)}"
    earlier = [each.erasure_id for each in before if each.erasure_id != receipt.erasure_id]
    if as_json:
        print_json({**receipt.model_dump(), "receipt": where, "erased_before": earlier})
        return
    print_table(
        "What was erased",
        ("place", *(name.replace("_", " ") for name in erasure.COUNTS)),
        [
            (place.place, *(getattr(place, name) for name in erasure.COUNTS))
            for place in receipt.places
        ],
    )
    facts = receipt.facts
    print_line(
        f"facts: {plural(facts.rows, 'order')} of {plural(facts.days, 'day')} without their user, "
        f"{plural(facts.expired_snapshots, 'snapshot')} dropped, "
        f"{plural(facts.deleted_files, 'file')} deleted"
    )
    _show_unsearched([each.model_dump() for each in receipt.unsearched])
    if not receipt.changed:
        print_line("nothing of this user was left: nothing was changed")
    if earlier:
        print_line(f"erased before: {', '.join(earlier)}")
    print_line(f"receipt: {where}")


def _show_unsearched(objects: Sequence[dict[str, Any]]) -> None:
    if objects:
        print_table(
            "Could not be searched: look yourself, and delete what holds the user",
            ("object", "why"),
            [(each["key"], each["reason"]) for each in objects],
            limit=SHOWN_OBJECTS,
        )
