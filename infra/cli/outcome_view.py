"""How a batch ended, for people: its files, what was published and what to do next."""

from typing import Any

from infra.cli.errors import ExitCode
from infra.cli.output import painted, print_line, print_table, styled
from infra.queries.timeline import plural

EXIT_CODES = {
    "COMPLETED": ExitCode.DONE,
    "REJECTED": ExitCode.DATA_REJECTED,
    "FAILED": ExitCode.SYSTEM_FAILED,
}
COLOURS = {"COMPLETED": "green", "REJECTED": "yellow", "FAILED": "red"}


def print_outcome(outcome: dict[str, Any]) -> None:
    """Files, numbers and the next step."""
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
                file["reason"],
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
    for line in summary(outcome):
        print_line(line)
    print_order_totals(outcome.get("order_totals"))


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


def summary(outcome: dict[str, Any]) -> list[str]:
    """What was published, what waits, and what to do next."""
    batch_id, status = outcome["batch_id"], outcome["status"]
    if status == "REJECTED":
        return [
            f"nothing was published: {outcome['reason']}",
            f"correct what was rejected and submit it again; `ecp quarantine show {batch_id}` "
            "shows what is wrong",
        ]
    happened = f"`ecp batch {batch_id}` shows what happened, `ecp redrive {batch_id} --wait`"
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
    if status == "FAILED":
        lines += [f"it is published and stands: {outcome['reason']}", f"{happened} finishes it"]
    return lines
