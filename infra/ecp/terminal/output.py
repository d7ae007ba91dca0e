"""How commands speak: tables for people, JSON for programs, one line per error; no rules.

All that `ecp` prints passes here, and nothing that came from outside acts on a terminal: text is
shown as it is, with escapes for what could harm or deceive (`contracts.printable`). Colour comes
only from `styled`, whose template is the code's own; values put into it are text again.
"""

import json
import string
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from contracts.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.text import Text

    from infra.ecp.terminal.console import Terminal

Say = Callable[[str], None]
_SLOT = "\ue000"  # stands for a value while the template is read; never printed


def console(*, stderr: bool = False) -> "Terminal":
    """Where people read: colours and movement only on a terminal, else plain text of any width."""
    from infra.ecp.terminal.console import Terminal

    return Terminal(sys.stderr if stderr else sys.stdout)


def styled(template: str, *values: object) -> "Text":
    """Rich markup with `{}` for values; a value is shown as text, whatever it holds.

    A value that is styled already keeps its style. Values never meet the markup, so none can
    open or close a style.
    """
    from rich.text import Text

    specs: list[str] = []
    marked = ""
    for literal, name, spec, _ in string.Formatter().parse(template):
        marked += literal
        if name is not None:
            marked += _SLOT
            specs.append(spec or "")
    frame, line = Text.from_markup(marked, emoji=False), Text()
    filled = iter(zip(values, specs, strict=True))
    for piece in frame.divide(_around_slots(frame.plain)):
        if piece.plain != _SLOT:
            line.append_text(piece)
            continue
        value, spec = next(filled)
        text = value.copy() if isinstance(value, Text) else Text(printable(format(value, spec)))
        for span in piece.spans:
            text.stylize_before(span.style)
        line.append_text(text)
    return line


def _around_slots(plain: str) -> list[int]:
    cuts = {at for at, character in enumerate(plain) if character == _SLOT}
    return sorted(cuts | {at + 1 for at in cuts})


def joined(lines: Iterable["Text"], separator: str = ", ") -> "Text":
    """Styled texts one after the other."""
    from rich.text import Text

    return Text(separator).join(lines)


def painted(text: str, style: str) -> "Text":
    """Text in one style."""
    from rich.text import Text

    return Text(printable(text), style=style)


def print_json(document: object) -> None:
    """One JSON document on standard output; Decimal becomes a JSON number."""
    sys.stdout.write(json_text(document))


def is_on_a_terminal() -> bool:
    """Whether standard output is read by people at once."""
    return sys.stdout.isatty()


def can_show(characters: str) -> bool:
    """Whether the encoding of standard output has these characters."""
    try:
        characters.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def write_text(text: str) -> None:
    """Text for programs, as it is; where people read it, with escapes for what acts on a terminal.

    Its lines end as they are, on every system.
    """
    if is_on_a_terminal():
        sys.stdout.write(printable_lines(text))
    else:
        write_bytes(text.encode())


def write_bytes(content: bytes) -> None:
    """Bytes for programs on standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def json_text(document: object) -> str:
    """A document as JSON, with a newline at its end.

    Characters that could act on a terminal are JSON escapes in it: equal when parsed.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, default=_json_value)
    return printable_json(text) + "\n"


def print_line(line: "str | Text" = "") -> None:
    """One line for people on standard output: plain text, or what `styled` gives."""
    console().say(printable(line) if isinstance(line, str) else line)


def flush() -> None:
    """Let a program that reads standard output have what was printed so far."""
    console().file.flush()


def print_lines(text: str) -> None:
    """Text of our own that has several lines."""
    for line in text.split("\n"):
        print_line(line)


def print_verbatim(line: "str | Text") -> None:
    """A line that is to be copied or stands above another, and so is never wrapped."""
    console().print(printable(line) if isinstance(line, str) else line, soft_wrap=True)


def print_heading(title: str) -> None:
    """An empty line and a title across the terminal."""
    from rich.rule import Rule

    out = console()
    out.say("")
    if out.is_terminal:
        out.print(Rule(painted(title, "bold"), align="left"))
    else:
        out.say(f"== {printable(title)}")


def print_error(line: str, evidence: Sequence[str] = ()) -> None:
    """`error: ...` on standard error, and below it what bears it out."""
    out = console(stderr=True)
    out.say(styled("[bold red]error:[/] {}", line))
    for more in evidence:
        out.say(styled("[dim]  {}[/]", more))


def print_note(line: str) -> None:
    """`note: ...` on standard error: what people should know and programs need not."""
    console(stderr=True).say(styled("[dim]note:[/] {}", line))


def print_beside(line: "str | Text") -> None:
    """A line for people on standard error, beside what programs read."""
    console(stderr=True).say(printable(line) if isinstance(line, str) else line)


def print_traceback(error: BaseException) -> None:
    """Where an error came from, on standard error."""
    for part in traceback.format_exception(error):
        for line in part.rstrip("\n").split("\n"):
            print_beside(line)


@contextmanager
def progress(title: str, *, moving: bool = True, quiet: bool = False) -> Iterator[Say]:
    """A spinner with the latest line on a terminal, a line each elsewhere; on standard error.

    `moving`: False where somebody is asked meanwhile, whose answer a spinner would write over.
    `quiet`: the lines are said only where the spinner can show them.
    """
    out = console(stderr=True)
    if not (out.is_terminal and moving):
        yield (lambda _: None) if quiet else print_beside
        return
    with out.status(painted(title, "")) as status:
        yield lambda line: status.update(styled("{}: [dim]{}[/]", title, line))


def spinner(title: str) -> AbstractContextManager[Say]:
    """A spinner with the latest line on a terminal, nothing elsewhere."""
    return progress(title, quiet=True)


def ask(question: str) -> bool:
    """Ask for yes or no on the terminal; Enter means no."""
    import typer

    return typer.confirm(printable(question))


def confirm(question: str) -> None:
    """Go on only after a yes; the command ends otherwise."""
    import typer

    if not ask(question):
        raise typer.Abort


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

    A column is numeric when the first of its cells that holds anything is a number or a percentage.
    `more` says where the rest is.
    """
    every = list(rows)
    shown = every if limit is None else every[:limit]
    if not every:
        print_line(styled("[bold]{}[/]: {}", title, empty))
        return
    from infra.ecp.terminal.tables import Column, table

    laid_out = [
        Column(
            printable(name),
            [printable(text(row[at])) for row in shown],
            _is_number(next((row[at] for row in every if row[at] is not None), None)),
        )
        for at, name in enumerate(columns)
    ]
    out = console()
    out.say(painted(title, "bold"))
    out.print(table(laid_out, out.width, framed=out.is_terminal), crop=False)
    if len(shown) < len(every):
        print_line(styled("[dim]... and {:,} more; {}[/]", len(every) - len(shown), more))


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
