"""`ecp ignored`: what was sent and will not be processed, why, and what was probably meant."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.batches.left_out import EVERY_KIND, read_left_out
from infra.ecp.target import current_target
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table

SHOWN = 50


def ignored(
    every: Annotated[
        bool,
        typer.Option("--all", help="Also versions that a newer one superseded, and deleted ones."),
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], help="Only from this day (UTC) on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Objects in the bucket that are no inputs, why, and the nearest right name.

    Every version under the input folders is either counted in a batch or named here: ignored for
    its name or content, superseded by a newer version of its key before it was sealed, or gone,
    because somebody deleted it. To have an ignored file processed, upload it under the right name.
    The list goes back 90 days; the events are kept for good.

    Example: `ecp ignored --since 2025-07-01`
    """
    target = current_target()
    found = read_left_out(
        target.client("dynamodb"),
        what=EVERY_KIND if every else ("ignored",),
        since=since.replace(tzinfo=UTC) if since else None,
    )
    if as_json:
        print_json(found)
        return
    print_table(
        "Left out" if every else "Ignored files",
        ("when (UTC)", *(["what"] if every else []), "key", "why", "did you mean"),
        [
            (
                row["at"][:19].replace("T", " "),
                *([row["what"]] if every else []),
                row["key"],
                row["reason"],
                row["did_you_mean"],
            )
            for row in found
        ],
        limit=SHOWN,
        empty=f"none until {system_clock():%Y-%m-%d %H:%M} UTC",
    )
    if any(row["did_you_mean"] for row in found):
        print_line("to have a file processed, upload it again under the right name")
