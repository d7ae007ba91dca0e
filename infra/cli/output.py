"""How commands speak: tables for people, JSON for programs, one line per error; no rules."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PLAIN_WIDTH = 160  # columns when neither a terminal nor COLUMNS says how wide it is


def console(*, stderr: bool = False) -> Console:
    """Where people read: colours and movement only on a terminal, else plain wide text."""
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream.isatty()
    knows_width = is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return Console(
        file=stream,
        force_terminal=is_terminal,
        no_color=None if is_terminal else True,
        width=None if knows_width else PLAIN_WIDTH,
        highlight=False,
    )


def print_json(document: object) -> None:
    """One JSON document on standard output; Decimal becomes a JSON number."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, default=_json_value)
    sys.stdout.write("\n")


def print_line(text: str) -> None:
    """One line for people on standard output, in Rich markup."""
    console().print(text, soft_wrap=True)


def print_error(line: str, evidence: Sequence[str] = ()) -> None:
    """`error: ...` on standard error, never wrapped, and below it what bears it out."""
    out = console(stderr=True)
    out.print(f"[bold red]error:[/] {escape(line)}", soft_wrap=True)
    for more in evidence:
        out.print(f"[dim]  {escape(more)}[/]", soft_wrap=True)


def print_note(line: str) -> None:
    """`note: ...` on standard error: what people should know and programs need not."""
    console(stderr=True).print(f"[dim]note:[/] {escape(line)}", soft_wrap=True)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    limit: int | None = None,
    empty: str = "none",
    more: str = "--json has them all",
) -> None:
    """A table with numbers to the right; with `limit`, its first rows and how many are left out.

    A column is numeric when its first row holds a number or a percentage there. `more` says where
    the rest is.
    """
    every = list(rows)
    shown = every if limit is None else every[:limit]
    out = console()
    if not every:
        out.print(f"[bold]{title}[/]: {empty}", soft_wrap=True)
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for index, name in enumerate(columns):
        justify: Literal["left", "right"] = "right" if _is_number(every[0][index]) else "left"
        table.add_column(name, justify=justify, overflow="fold")
    for row in shown:
        table.add_row(*(escape(text(value)) for value in row))
    out.print(table)
    if len(shown) < len(every):
        out.print(f"[dim]... and {len(every) - len(shown):,} more; {more}[/]", soft_wrap=True)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) or str(value).endswith(" %")


def text(value: object) -> str:
    """A cell: thousands separated, absent values as a dash."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
    return str(value)


def _json_value(value: object) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
