"""Quarantined rows and files for people: tables, each row explained, and how many there are."""

from collections import Counter
from collections.abc import Mapping, Sequence

from infra.ecp.quarantine.explanations import advice, pointed_at
from infra.ecp.terminal.output import print_line, print_table, print_verbatim, styled
from services.runtime.csv_files.rule_names import without_rules
from services.runtime.quarantine.replays import Replay, row_id
from services.runtime.quarantine.resolutions import Dismissal, Resolution, Resolutions
from services.runtime.wording import plural, size
from services.validator.quarantine.rows import QuarantinedFile, Row

SHOWN_ROWS = 50
EXPLAINED_ROWS = 20


def print_rows(
    rows: Sequence[Row], resolutions: Resolutions | None = None, limit: int = SHOWN_ROWS
) -> None:
    """Quarantined rows as a table, with what became of them where anything did."""
    outcomes = [_outcome(row, resolutions) for row in rows]
    told = any(outcomes)
    mixed = len({row["batch_id"] for row in rows}) > 1
    columns = ("file", "line", "rule", "what is wrong", "text")
    print_table(
        "Quarantined rows",
        (*(("batch",) if mixed else ()), *columns, *(("since then",) if told else ())),
        [
            (
                *((row["batch_id"],) if mixed else ()),
                row["key"],
                row["line"],
                row["rule"],
                _fault_alone(row),
                _short(row["raw"]),
                *((outcome,) if told else ()),
            )
            for row, outcome in zip(rows, outcomes, strict=True)
        ],
        limit=limit,
        more="--json has them all, --batch narrows",
    )


def explain_rows(rows: Sequence[Row], resolutions: Resolutions | None = None) -> None:
    """Each row with its text, carets under what is wrong, and what to do; 20, from every file."""
    shown = fair_share(rows, EXPLAINED_ROWS)
    for row in shown:
        raw, carets = pointed_at(row)
        print_line(styled("[bold]{} line {}[/]: {}", row["key"], row["line"], _said(row)))
        print_verbatim(f"  {raw}")
        print_verbatim(styled("  [red]{}[/]", carets))
        print_line(styled("  [green]{}[/]", _outcome(row, resolutions) or advice(row)))
        print_line()
    if len(rows) > len(shown):
        left = plural(len(rows) - len(shown), "row")
        print_line(styled("[dim]... and {} more; --json has them all[/]", left))


def fair_share(rows: Sequence[Row], limit: int) -> list[Row]:
    """So many rows in their order: the first of each file, then the second, and so on; pure."""
    seen: Counter[tuple[str | None, str]] = Counter()
    ranked = []
    for position, row in enumerate(rows):
        file = row["batch_id"], row["key"]
        ranked.append((seen[file], position))
        seen[file] += 1
    return [rows[position] for position in sorted(place for _, place in sorted(ranked)[:limit])]


def print_files(files: Sequence[QuarantinedFile], resolutions: Resolutions) -> None:
    """Files that were refused whole; nothing where there are none."""
    if not files:
        return
    outcomes = [
        _said_of(resolutions.dismissal_of_file(file.batch_id, file.key))
        or _elsewhere(resolutions, file.batch_id, file.key)
        for file in files
    ]
    told = any(outcomes)
    print_table(
        "Files refused whole, kept byte for byte",
        ("batch", "file", "size", "when (UTC)", *(("since then",) if told else ())),
        [
            (
                file.batch_id,
                file.key,
                size(file.size_bytes),
                file.quarantined_at,
                *((outcome,) if told else ()),
            )
            for file, outcome in zip(files, outcomes, strict=True)
        ],
        limit=SHOWN_ROWS,
        more="--batch narrows",
    )


def explain_files(reasons: Mapping[QuarantinedFile, str | None]) -> None:
    """Why each file was refused, as far as its batch's events tell."""
    for file, reason in reasons.items():
        said = reason or f"`ecp batch {file.batch_id}` says why"
        print_line(styled("[bold]{}[/]: {}", file.key, said))


def counted(rows: Counter[Resolution], files: Counter[Resolution]) -> str:
    """`12 rows: 7 open, 3 answered, 2 dismissed; 1 refused file: 1 dismissed`; pure."""
    parts = [
        f"{plural(counts.total(), noun)}: "
        + ", ".join(
            f"{counts[resolution]:,} {resolution}"
            for resolution in RESOLUTIONS
            if counts[resolution]
        )
        for counts, noun in ((rows, "row"), (files, "refused file"))
        if counts.total()
    ]
    return "; ".join(parts)


RESOLUTIONS: tuple[Resolution, ...] = ("open", "answered", "dismissed")


def _outcome(row: Row, resolutions: Resolutions | None) -> str:
    if resolutions is None:
        return ""
    found = row_id(row)
    if resolutions.of(found) == "dismissed":
        return _said_of(resolutions.dismissal_of(found))
    if answer := resolutions.replay_of(found):
        return _replayed(answer)
    return _elsewhere(resolutions, found.batch_id, found.key)


def _elsewhere(resolutions: Resolutions, batch_id: str, key: str) -> str:
    """Where an input came again: corrected and published, or as it was."""
    if published := resolutions.published.get((batch_id, key)):
        return f"answered by batch {published}, which published the file"
    repeated = resolutions.repeated_in(batch_id, key)
    return f"sent again unchanged: batch {repeated} has it now" if repeated else ""


def _replayed(answer: Replay) -> str:
    return f"answered by batch {answer.batch_id}, {answer.status}"


def _said_of(dismissal: Dismissal | None) -> str:
    if dismissal is None:
        return ""
    return f"dismissed by {dismissal.requested_by}: {dismissal.reason}"


def _said(row: Row) -> str:
    """The message without the place, which stands beside it."""
    return str(row["message"]).removeprefix(f"{row['key']} line {row['line']}: ")


def _fault_alone(row: Row) -> str:
    """The message without place and rules, which have columns of their own."""
    return without_rules(_said(row))


def _short(raw: str | None, longest: int = 60) -> str:
    line = raw or ""
    return line if len(line) <= longest else line[: longest - 3] + "..."
