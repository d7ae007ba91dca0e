"""How a batch ended, for people: its files, what was published and what to do next."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.ecp.submissions import hints
from infra.ecp.terminal.errors import ExitCode
from infra.ecp.terminal.output import painted, print_line, print_table, styled
from services.runtime.wording import plural

EXIT_CODES = {
    "COMPLETED": ExitCode.DONE,
    "REJECTED": ExitCode.DATA_REJECTED,
    "FAILED": ExitCode.SYSTEM_FAILED,
}
COLOURS = {"COMPLETED": "green", "REJECTED": "yellow", "FAILED": "red"}


def print_outcome(outcome: dict[str, Any], paths: Mapping[str, Path] | None = None) -> None:
    """Files, numbers and the next step; `paths` are the local files behind the keys, if known."""
    batch_id, status = outcome["batch_id"], outcome["status"]
    print_line()
    print_table(
        f"Batch {batch_id}",
        ("file", "status", "rows", "accepted", "quarantined", "duplicates", "reason"),
        [
            (
                file["key"],
                file["status"],
                file["rows_in"],
                file["accepted"],
                file["quarantined"],
                file["duplicates"],
                _why(file),
            )
            for file in outcome["files"]
        ],
        limit=40,
    )
    engine = f" by {outcome['engine']}" if outcome["engine"] else ""
    print_line(
        styled(
            "{}{} in {:.1f} s",
            painted(status, f"bold {COLOURS[status]}"),
            engine,
            outcome["duration_seconds"],
        )
    )
    for line in summary(outcome, paths or {}):
        print_line(line)
    for line in remarks(outcome):
        print_line(line)
    print_restated(outcome.get("restated"))
    print_order_totals(outcome.get("order_totals"))


def _why(file: dict[str, Any]) -> str | None:
    """Why a file was rejected or counts for nothing, or that it was sent before."""
    if file["reason"] is not None:
        return str(file["reason"])
    batch_id = file.get("seen_before")
    return f"seen before: identical to a file of batch {batch_id}" if batch_id else None


def remarks(outcome: dict[str, Any]) -> list[str]:
    """What nobody refuses and the sender should know: repeats, columns not read, guests."""
    lines = []
    if outcome.get("seen_before"):
        lines.append(seen_before_said([file["seen_before"] for file in outcome["files"]]))
    for file in outcome["files"]:
        lines += _about_source(file)
        if file["status"] != "duplicate":
            lines += hints.about_repeats(file["key"], file["duplicates"])
            lines += hints.about_guests(file["key"], file.get("guests") or 0)
    return lines


def _about_source(file: dict[str, Any]) -> list[str]:
    """What a file was read by and what that leaves out; of a plain file the columns not read.

    An export has many columns that its source has no use for: they are not told.
    """
    key = file["key"]
    if file.get("source") is None:
        return hints.about_columns(key, file["kind"], file.get("unknown_columns") or ())
    left_out = [f"{count:,} {reason}" for reason, count in (file.get("left_out") or {}).items()]
    told = f"; left out: {', '.join(left_out)}" if left_out else ""
    return [f"{key}: read by source {file['source']}{told}"]


def seen_before_said(batches: Sequence[str]) -> str:
    """The headline of files that were all sent before, by the batches that had them."""
    named = " and ".join(dict.fromkeys(batches))
    return f"seen before: identical to batch {named}; every file of this one was sent already"


def print_restated(restated: dict[str, Any] | None) -> None:
    """How much of what older files had said stands no more, with three examples; else nothing."""
    counts = {
        "order": restated["orders"] if restated else 0,
        "order line": restated["order_items"] if restated else 0,
        "product": restated["products"] if restated else 0,
    }
    told = [plural(count, noun) for noun, count in counts.items() if count]
    if not restated or not told:
        return
    verb = "stands" if sum(counts.values()) == 1 else "stand"
    print_line(
        f"restated: {', '.join(told)} of older files {verb} no more; newer ones say otherwise"
    )
    print_table(
        "Examples of what was restated",
        ("what", "now stands", "in place of", "of batch"),
        [
            (
                f"{one['kind']} {' '.join(one['identity'])}",
                f"{one['key']} line {one['line']}",
                f"{one['replaced_key']} line {one['replaced_line']}",
                one["replaced_batch_id"],
            )
            for one in restated["examples"]
        ],
    )


def print_order_totals(totals: dict[str, Any] | None) -> None:
    """The warning about totals that differ from their lines, with the worst; else nothing."""
    if not totals or not totals["differing"]:
        return
    print_line(
        styled(
            "[yellow]warning: {} with a total that is not the sum of the order lines; "
            "all count as stated[/]",
            plural(totals["differing"], "order"),
        )
    )
    print_table(
        "Totals and lines",
        ("order", "total", "its lines"),
        [(each["order_id"], each["total_amount"], each["lines"]) for each in totals["worst"]],
        limit=len(totals["worst"]),
    )
    more = totals["differing"] - len(totals["worst"])
    if more:
        print_line(styled("[dim]the worst are shown; {:,} more differ less[/]", more))


def summary(outcome: dict[str, Any], paths: Mapping[str, Path] | None = None) -> list[str]:
    """What was published, what waits, and what to do next."""
    batch_id, status = outcome["batch_id"], outcome["status"]
    if status == "REJECTED":
        return [f"nothing was published: {outcome['reason']}", *_after_rejection(outcome, paths)]
    happened = f"`ecp batch {batch_id}` shows what happened, `ecp redrive {batch_id} --wait`"
    if status == "FAILED" and outcome.get("publication") == "begun":
        return [
            "its publication has begun, and nothing undoes it: the KPIs may show it already, or "
            f"soon: {outcome['reason']}",
            f"{happened} finishes it",
        ]
    if status == "FAILED" and not outcome["engine"]:
        return [f"facts and KPIs are as before: {outcome['reason']}", f"{happened} tries again"]
    published = outcome["published"]
    lines = [
        f"{plural(len(outcome['affected_days']), 'day')} recomputed: "
        f"{plural(published['order_kpis'], 'order KPI')}, "
        f"{plural(published['category_kpis'], 'category KPI')}, "
        f"{published['deleted']:,} deleted"
    ]
    if outcome["waiting_order_items"]:
        lines.append(
            f"{plural(outcome['waiting_order_items'], 'order line')} waiting for orders that "
            "have not come"
        )
    quarantined = sum(file["quarantined"] for file in outcome["files"])
    if quarantined:
        lines.append(
            f"{plural(quarantined, 'row')} in quarantine: `ecp quarantine list --batch {batch_id}`"
        )
    if status == "COMPLETED" and outcome["reason"]:
        lines.append(f"{outcome['reason']}; `ecp batch {batch_id}` shows what is refused now")
    if status == "FAILED":
        lines += [f"it is published and stands: {outcome['reason']}", f"{happened} finishes it"]
    return lines


def _after_rejection(outcome: dict[str, Any], paths: Mapping[str, Path] | None) -> list[str]:
    """What brings a rejected batch to its end: its own keys, corrected; or somebody's word."""
    batch_id = outcome["batch_id"]
    shows = f"`ecp quarantine show {batch_id}` shows what is wrong"
    rejected = [file["key"] for file in outcome["files"] if file["status"] == "rejected"]
    if not rejected:
        return [f"correct what was rejected and submit it again; {shows}"]
    if all(each["accepted"] for each in outcome["files"] if each["status"] == "rejected"):
        shows = "every row is right by itself, so none is in quarantine"  # the transformer refused
    wanted = " ".join(shlex.quote(str((paths or {}).get(key, key))) for key in rejected)
    healthy = sum(file["status"] == "accepted" for file in outcome["files"])
    lines = [f"{shows}; correct it under the same name, then `ecp submit {wanted} --wait`"]
    if healthy:
        lines.append(
            f"{plural(healthy, 'healthy file')} of the batch {'wait' if healthy > 1 else 'waits'} "
            f"for that and {'go' if healthy > 1 else 'goes'} along in one batch; "
            f"`ecp release {batch_id} --reason WHY` lets go of what is healthy alone"
        )
    return lines
