"""`ecp verify`, `ecp rebuild`, `ecp maintain`: KPIs, KPI tables and index against the facts."""

from typing import Annotated, Any

import typer

from contracts.clock import new_event_id, system_clock
from contracts.messages import MaintainFacts, RebuildKpis
from infra.ecp.maintenance.between_batches import completed
from infra.ecp.requester import requester
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_line, print_table
from services.runtime.wording import plural, size

DryRun = Annotated[bool, typer.Option("--dry-run", help="Look, and change nothing.")]
Index = Annotated[
    bool, typer.Option("--index", help="Also make the index of orders by day anew, first.")
]
SHOWN_ITEMS = 50
TABLE_COLUMNS = (
    "table",
    "compacted_partitions",
    "compacted_files",
    "expired_snapshots",
    "dropped_tags",
    "deleted_files",
    "deleted_bytes",
    "kept_snapshots",
)


def rebuild(dry_run: DryRun = False, index: Index = False, as_json: AsJson = False) -> None:
    """Make the KPI tables exactly what the facts give, and say what was wrong.

    Items that are right are left alone. A batch in work goes first: then ask again. With --dry-run
    the index is compared with the orders too.

    Example: `ecp rebuild --dry-run`
    """
    target = current_target()
    if dry_run:
        _show(_compared(target), as_json)
        return
    command = RebuildKpis(request_id=_new_request("rebuild"), requested_by=requester(), index=index)
    rebuilt = completed(target, command, quietly=as_json).data.model_dump()
    if as_json:
        print_json(rebuilt)
    else:
        _print_counts(rebuilt, "were")


def verify(as_json: AsJson = False) -> None:
    """Check that what is published is exactly what the facts give; exit 1 where it is not.

    KPIs in DynamoDB, KPI tables for SQL and the index of orders by day are compared row by row with
    what the facts give. Nothing is changed and no batch is waited for.

    Example: `ecp verify || ecp rebuild`
    """
    found = _compared(current_target())
    _show(found, as_json)
    if faults := faults_of(found):
        raise CommandFailed("; ".join(faults), ExitCode.DATA_REJECTED)


def maintain(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Look after the facts tables: small files, old snapshots, files that nothing refers to.

    It is done once a day by itself, and small files are made one after each batch. A batch in work
    goes first, and so does any command that comes meanwhile: what was done stays; ask again.

    Example: `ecp maintain --dry-run`
    """
    target = current_target()
    if dry_run:
        tables = _planned(target)
    else:
        command = MaintainFacts(request_id=_new_request("upkeep"), requested_by=requester())
        maintained = completed(target, command, quietly=as_json).data
        tables = [table.model_dump() for table in maintained.tables]
    if as_json:
        print_json({"dry_run": dry_run, "tables": tables})
        return
    print_table(
        "What is to be done" if dry_run else "What was done",
        [name.replace("_", " ").replace("bytes", "size") for name in TABLE_COLUMNS],
        [
            [
                size(table[name]) if name == "deleted_bytes" else table[name]
                for name in TABLE_COLUMNS
            ]
            for table in tables
        ],
    )


def _compared(target: Target) -> dict[str, Any]:
    # pyiceberg takes half a second to import, which no other command should wait for.
    from infra.ecp.kpis.facts import PublishedFacts, compare_all

    return compare_all(PublishedFacts(target.facts, target.client("dynamodb")))


def _planned(target: Target) -> list[dict[str, Any]]:
    from infra.ecp.kpis.facts import PublishedFacts, plan_all

    return plan_all(PublishedFacts(target.facts, target.client("dynamodb")), system_clock())


def faults_of(found: dict[str, Any]) -> list[str]:
    """What is not as the facts give it, each with the command that makes it right."""
    items, rows, entries = len(found["items"]), found["table_rows"], found["index_faults"]
    counted = (
        (items, "KPI", "not what the facts give", "ecp rebuild"),
        (rows, "row", "wrong in the KPI tables for SQL", "ecp rebuild"),
        (entries, "fault", "in the index of orders by day", "ecp rebuild --index"),
    )
    return [
        f"{plural(count, thing)} {what}: `{command}` makes it right"
        for count, thing, what, command in counted
        if count
    ]


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print_table(
        "Items that differ from the facts",
        ("day", "category", "what is wrong"),
        [(each["order_date"], each["category"], each["fault"]) for each in found["items"]],
        limit=SHOWN_ITEMS,
    )
    _print_counts(found, "would be")


def _print_counts(counts: dict[str, Any], verb: str) -> None:
    print_line(
        f"{counts['order_kpis']:,} order and {counts['category_kpis']:,} category KPIs {verb} set, "
        f"{counts['deleted']:,} {verb} deleted, {counts['unchanged']:,} are right, "
        f"of {plural(counts['days'], 'day')}"
    )
    if (rows := counts.get("table_rows")) is not None:
        print_line(f"KPI tables for SQL: {plural(rows, 'row')} {verb} written or deleted")
    if (faults := counts.get("index_faults")) is not None:
        print_line(f"index of orders by day: {plural(faults, 'fault')}")


def _new_request(what: str) -> str:
    return f"{what}-{new_event_id()}"
