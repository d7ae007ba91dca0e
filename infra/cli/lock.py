"""`ecp lock`: who may write, and who waits for it."""

import typer

from infra.cli.options import AsJson
from infra.cli.output import print_json, print_line, print_table
from infra.cli.target import current_target
from infra.queries.lock import read_lock

app = typer.Typer(help="The single-writer lock: one batch writes at a time.")


@app.callback()
def lock() -> None:
    """The single-writer lock: one batch writes at a time."""


@app.command()
def show(as_json: AsJson = False) -> None:
    """Who holds the lock, until when, and who waits.

    A holder that died loses the lock when its execution ends or its lease runs out.

    Example: `ecp lock show`
    """
    found = read_lock(current_target().client("dynamodb"))
    if as_json:
        print_json(found)
        return
    if not found["held"]:
        print_line("the lock is [bold green]free[/]")
        return
    print_line(
        f"the lock is [bold yellow]held[/] by batch [bold]{found['batch_id']}[/] since "
        f"{found['granted_at']}, fence {found['fence']}, lease until {found['lease_until']}"
    )
    print_line(f"execution {found['execution_id']}")
    if found["waiters"]:
        print_table(
            "In line",
            ("turn", "batch", "execution"),
            [
                (turn, waiter["batch_id"], waiter["execution_id"])
                for turn, waiter in enumerate(found["waiters"], start=1)
            ],
        )
