"""Every command of `ecp`: where it is, its line in the help; loaded when asked for."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.main import get_command

RUN, LOOK, DATA = "Run", "Look", "Data"


class Entry(NamedTuple):
    """A function, or the group that a module calls `app`; `line` is what its own help begins with.

    A test holds the lines against the docstrings.
    """

    panel: str
    module: str
    attribute: str
    line: str


COMMANDS = {
    "up": Entry(
        RUN, "cloud.commands", "up",
        "Start the local cloud of this directory and return when it is ready.",
    ),
    "down": Entry(
        RUN, "cloud.commands", "down",
        "Stop the local cloud of this directory; what is in it is kept for the next `ecp up`.",
    ),
    "deploy": Entry(
        RUN, "deploy.commands", "deploy",
        "Deploy the pipeline, one CloudFormation stack per service.",
    ),
    "bootstrap": Entry(
        RUN, "deploy.bootstrap", "bootstrap",
        "Make what must be there before the first deployment: bucket, repositories, roles.",
    ),
    "demo": Entry(
        RUN, "demo.demo", "demo",
        "See everything at once: a local cloud, a month of an invented shop, KPIs, quarantine.",
    ),
    "submit": Entry(
        DATA, "submissions.submit", "submit",
        "Upload CSV files as one batch.",
    ),
    "validate": Entry(
        DATA, "submissions.validate", "validate",
        "Check CSV files as the pipeline would, without uploading anything.",
    ),
    "sources": Entry(
        DATA, "sources.group", "app",
        "Sources: how any shop's export becomes orders, order lines and products.",
    ),
    "sample": Entry(
        DATA, "demo.demo", "sample",
        "Write the invented shop of the demo as CSV files, to try things with.",
    ),
    "redrive": Entry(
        DATA, "batches.commands", "redrive",
        "Run a failed batch again, on exactly the same files.",
    ),
    "release": Entry(
        DATA, "batches.release", "release",
        "Let the healthy files of a rejected batch go on without the rejected ones.",
    ),
    "verify": Entry(
        DATA, "maintenance.commands", "verify",
        "Check that what is published is exactly what the facts give; exit 1 where it is not.",
    ),
    "rebuild": Entry(
        DATA, "maintenance.commands", "rebuild",
        "Make the KPI tables exactly what the facts give, and say what was wrong.",
    ),
    "maintain": Entry(
        DATA, "maintenance.commands", "maintain",
        "Look after the facts tables: small files, old snapshots, files that nothing refers to.",
    ),
    "status": Entry(
        LOOK, "cloud.status", "status",
        "What is going on: the lock, files that wait, batches and their steps, dead letters.",
    ),
    "ignored": Entry(
        LOOK, "batches.ignored", "ignored",
        "Objects in the bucket that are no inputs, why, and the nearest right name.",
    ),
    "batches": Entry(
        LOOK, "batches.commands", "list_batches",
        "The newest batches: rows, days and duration, and why one did not complete.",
    ),
    "batch": Entry(
        LOOK, "batches.commands", "batch",
        "What happened to one batch, event by event, with the seconds since its start.",
    ),
    "logs": Entry(
        LOOK, "batches.logs", "logs",
        "What the services and the saga logged about one batch, by time.",
    ),
    "waiting": Entry(
        LOOK, "kpis.waiting", "waiting",
        "Order lines that wait for their order, and lines whose product is not known.",
    ),
    "why": Entry(
        LOOK, "kpis.why", "why",
        "Why a number is what it is: the files, rows and batches behind it.",
    ),
    "diff": Entry(
        LOOK, "kpis.diff", "diff",
        "What a batch changed: orders and lines by day, and each KPI before and after.",
    ),
    "kpis": Entry(
        LOOK, "kpis.commands", "app",
        "The published daily KPIs: of all orders, or by category.",
    ),
    "query": Entry(
        LOOK, "query.commands", "query",
        "Ask the published tables by SQL, read-only, on this machine.",
    ),
    "freshness": Entry(
        LOOK, "kpis.freshness", "freshness",
        "How new the numbers are: days with and without KPIs, and when each source's files came.",
    ),
    "quarantine": Entry(
        LOOK, "quarantine.group", "app",
        "Rows and files that were refused: why, and what to do.",
    ),
    "privacy": Entry(
        DATA, "privacy.commands", "app",
        "Erasing one user everywhere; new pseudonyms for all.",
    ),
    "lock": Entry(
        LOOK, "lock.group", "app",
        "The single-writer lock: one batch writes at a time.",
    ),
    "dlq": Entry(
        LOOK, "dead_letters.commands", "app",
        "Messages that could not be taken: why, and sending them back.",
    ),
    "console": Entry(
        LOOK, "console.commands", "console",
        "Open the web console: KPIs, batches as they run, quarantine, freshness.",
    ),
    "api": Entry(
        LOOK, "api.commands", "app",
        "The HTTP API: where it is, and its views made anew.",
    ),
    "contracts": Entry(
        LOOK, "contracts.group", "app",
        "The contracts: whom a change would break, and what is released of them.",
    ),
}  # fmt: skip


class Commands(MutableMapping[str, Any]):
    """The commands by name; one is loaded when it is taken."""

    def __getitem__(self, name: str) -> Any:
        return _loaded(name, COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(f"{name}: commands are listed in COMMANDS")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: commands are listed in COMMANDS")


def summaries() -> dict[str, Any]:
    """Commands that know their line and nothing else."""
    from typer.core import TyperCommand

    return {
        name: TyperCommand(name, help=entry.line, rich_help_panel=entry.panel)
        for name, entry in COMMANDS.items()
    }


def _loaded(name: str, entry: Entry) -> Any:
    found = getattr(import_module(f"infra.ecp.{entry.module}"), entry.attribute)
    alone = typer.Typer(rich_markup_mode="markdown", add_completion=False)
    alone.callback()(lambda: None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name, rich_help_panel=entry.panel, no_args_is_help=True)
    else:
        alone.command(name, rich_help_panel=entry.panel)(found)
    return get_command(alone).commands[name]  # type: ignore[attr-defined]
