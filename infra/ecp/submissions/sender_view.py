"""What a sender should know besides the verdict: what is left out, when that stops it, hints."""

from collections.abc import Sequence
from typing import Any

from infra.ecp.submissions.directories import Gathered, LeftOut
from infra.ecp.terminal.output import print_line, print_table, styled
from services.runtime.wording import listed, plural

SHOWN = 30
SHOWN_HIDDEN = 5
NAMED = 3


def left_out_document(gathered: Gathered) -> list[dict[str, Any]]:
    """The JSON that programs may rely on: path, reason and the nearest right name."""
    return [
        {"path": one.path, "reason": one.reason, "did_you_mean": one.did_you_mean}
        for one in gathered.left_out
    ]


def print_left_out(gathered: Gathered) -> None:
    """A table of what is left out, with hidden files in one line; nothing where all is sent."""
    told = [one for one in gathered.left_out if not one.is_hidden]
    hidden = [one.path for one in gathered.left_out if one.is_hidden]
    if told:
        print_table(
            f"Left out: {len(told):,}",
            ("what", "why", "did you mean"),
            [(one.path, one.reason, one.did_you_mean) for one in told],
            limit=SHOWN,
        )
    if hidden:
        names = listed(hidden, SHOWN_HIDDEN)
        count = plural(len(hidden), "hidden file")
        print_line(styled("[dim]{} left out: {}[/]", count, names))


def print_hints(hints: Sequence[str]) -> None:
    """What the sender should know and nobody refuses."""
    for hint in hints:
        print_line(styled("[yellow]hint:[/] {}", hint))


def why_incomplete(gathered: Gathered) -> str | None:
    """Why the files that can be sent are not what was meant, and what to do; None: they are."""
    if unreadable := gathered.unreadable:
        return f"{_named(unreadable, with_reason=True)}; mend that, or move it out of the directory"
    missing = gathered.missing_kinds()
    if not missing:
        return None
    said = []
    for kind in missing:
        meant = [one for one in gathered.left_out if one.kind == kind]
        said.append(f"no {kind} file is left to send, only {_named(meant)}")
    return (
        f"{'; '.join(said)}; set the names right, or move out of the directory what is not to be "
        "sent"
    )


def _named(found: list[LeftOut], *, with_reason: bool = False) -> str:
    names = [f"{one.path}: {one.reason}" if with_reason else _meant(one) for one in found[:NAMED]]
    more = [f"{len(found) - NAMED:,} more"] if len(found) > NAMED else []
    return ", ".join(names + more)


def _meant(one: LeftOut) -> str:
    return f"{one.path} (did you mean {one.did_you_mean}?)" if one.did_you_mean else one.path
