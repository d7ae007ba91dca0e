"""`ecp sources test`: what files come to by a source, offline; nothing is sent and nothing kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.sources.model import Source
from infra.ecp.sources.keeping import read_source
from infra.ecp.submissions.lookups import lookups_by_name
from infra.ecp.terminal.errors import ExitCode, WrongUsage
from infra.ecp.terminal.options import AsJson, Lookups
from infra.ecp.terminal.output import print_json, print_line, print_table, spinner, styled
from services.runtime.wording import plural

if TYPE_CHECKING:
    from infra.ecp.sources.kpis_of_files import FilesKpis
    from infra.ecp.sources.trial import Trial, TriedFile

SHOWN = 10
_LONGEST_TEXT = 100


def try_source(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE.yaml", help="A source, or a draft of one.")
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files of that shape.")],
    lookup: Lookups = None,
    as_json: AsJson = False,
) -> None:
    """Read files by a source, offline: rows that pass, that are bad or left out, and the KPIs.

    The checks and the SQL are the pipeline's own; nothing is sent, and nothing of it is kept.
    MAX_REJECTED_FRACTION (0.2) and CURRENCY (none) are honoured. The KPIs are those of the files
    alone: products that are in other files are of category Unknown.

    Exit code: 0 every file would be accepted (bad rows alone reject none), 1 one would be rejected,
    or the document is no source.

    Example: `ecp sources test my-shop.yaml orders.csv`
    """
    from infra.ecp.submissions.validate import check_settings

    source = _source(name)
    lookups = lookups_by_name(lookup or [], source)
    for path in files:
        if not path.is_file():
            raise WrongUsage(f"{path}: there is no such file")
    settings = check_settings()
    with spinner(f"reading {plural(len(files), 'file')} by {source.label}"):
        from infra.ecp.sources.trial import tried

        trial = tried(
            source,
            files,
            lookups,
            max_rejected_fraction=settings.max_rejected_fraction,
            currency=settings.currency or None,
        )
    if as_json:
        print_json(_document(source, trial))
    else:
        _print(source, trial)
    if any(one.check.is_rejected for one in trial.files):
        raise typer.Exit(int(ExitCode.DATA_REJECTED))


def _source(name: str) -> Source:
    """A source by its name, or by the path of its YAML."""
    if not name.endswith((".yaml", ".yml")) and "/" not in name:
        return read_source(name)
    path = Path(name)
    if not path.is_file():
        raise WrongUsage(f"{path}: there is no such file")
    from contracts.sources.parser import parse_source
    from services.runtime.sources.compilation import check_source

    source = parse_source(path.read_bytes(), name)
    check_source(source)
    return source


def _document(source: Source, trial: "Trial") -> dict[str, Any]:
    """For programs."""
    kpis = trial.kpis
    return {
        "source": source.name,
        "version": source.version,
        "files": [_file_document(one) for one in trial.files],
        "order_kpis": kpis.orders if kpis else [],
        "category_kpis": kpis.categories if kpis else [],
        "waiting_order_items": kpis.waiting_order_items if kpis else 0,
    }


def _file_document(one: "TriedFile") -> dict[str, Any]:
    check = one.check
    return {
        "file": str(one.path),
        "status": "rejected" if check.is_rejected else "accepted",
        "reason": check.reason,
        "rows_in": check.rows_in,
        "accepted": check.accepted,
        "quarantined": check.quarantined,
        "duplicates": check.duplicates,
        "left_out": dict(check.left_out),
        "kinds": [
            {
                "kind": kind.kind,
                "rows_in": kind.rows_in,
                "accepted": kind.accepted,
                "quarantined": kind.quarantined,
                "duplicates": kind.duplicates,
                "left_out": dict(kind.left_out),
            }
            for kind in check.kinds
        ],
        "rows": one.bad_rows,
        "left_out_examples": {
            reason: [{"line": line, "raw": text} for line, text in rows]
            for reason, rows in one.left_out.items()
        },
    }


def _print(source: Source, trial: "Trial") -> None:
    print_table(
        f"By {source.label}",
        ("file", "status", "rows", "accepted", "quarantined", "left out", "duplicates"),
        [
            (
                one.path.name,
                "rejected" if one.check.is_rejected else "accepted",
                one.check.rows_in,
                one.check.accepted,
                one.check.quarantined,
                sum(one.check.left_out.values()),
                one.check.duplicates,
            )
            for one in trial.files
        ],
    )
    for one in trial.files:
        if one.check.reason:
            print_line(styled("[bold red]{}[/]: {}", one.path.name, one.check.reason))
        _print_rows(one)
    if trial.kpis:
        _print_kpis(trial.kpis)
        if trial.kpis.waiting_order_items:
            lines = plural(trial.kpis.waiting_order_items, "order line")
            print_line(f"{lines} wait for an order that is in none of these files")


def _print_rows(one: "TriedFile") -> None:
    counts: Mapping[str, int] = _all_left_out(one)
    if one.left_out:
        rows = [
            (reason, counts.get(reason, len(found)), line, _cut(text))
            for reason, found in one.left_out.items()
            for line, text in found
        ]
        print_table(f"Left out of {one.path.name}", ("reason", "rows", "line", "text"), rows)
    if one.bad_rows:
        print_table(
            f"Quarantined of {one.path.name}",
            ("line", "rule", "what is wrong"),
            [(row["line"], row["rule"], row["message"]) for row in one.bad_rows],
            limit=SHOWN,
        )


def _all_left_out(one: "TriedFile") -> Mapping[str, int]:
    counts = dict(one.check.left_out)
    for kind in one.check.kinds:
        counts |= {reason: counts.get(reason, rows) for reason, rows in kind.left_out.items()}
    return counts


def _print_kpis(kpis: "FilesKpis") -> None:
    for title, items in (("KPIs by day", kpis.orders), ("KPIs by category", kpis.categories)):
        if items:
            rows: Sequence[Sequence[object]] = [tuple(item.values()) for item in items]
            print_table(title, tuple(items[0]), rows, limit=SHOWN)


def _cut(text: str) -> str:
    """The first line of a row, cut where it is long."""
    first = text.rstrip("\r\n")
    return first if len(first) <= _LONGEST_TEXT else first[:_LONGEST_TEXT] + "…"
