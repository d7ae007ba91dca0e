"""`ecp logs`: what every service wrote about one batch, in one list."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from contracts.clock import from_rfc3339
from infra.ecp.batches.commands import events_of
from infra.ecp.batches.log_lines import LogLine, lines_in_files, lines_in_groups
from infra.ecp.target import Target, cloud_directory, current_target, find_running_cloud
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import print_json, print_note, print_table

BEFORE_SEALING = timedelta(minutes=1)
"""Its sealing is told of a moment before its first event is stored, by another clock."""


def logs(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="A batch id.")],
    as_json: AsJson = False,
) -> None:
    """What the services and the saga logged about one batch, by time.

    Example: `ecp logs 3f2a9c0d1e4b5a67`
    """
    target = current_target()
    lines = _lines_of(target, batch_id)
    if as_json:
        print_json([line.entry for line in lines])
        return
    print_table(
        f"Log of batch {batch_id}",
        ("time (UTC)", "service", "level", "said"),
        [(_time_of_day(line.at), line.service, line.level, line.said) for line in lines],
    )
    left_out = [str(path) for path in _files_left_out(target)]
    if left_out:
        print_note(
            f"not searched, for they do not name batches: {', '.join(left_out)}; look there for "
            "tracebacks of a process that died, and for the local cloud's own troubles"
        )


def _lines_of(target: Target, batch_id: str) -> list[LogLine]:
    since = from_rfc3339(events_of(target, batch_id)[0].occurred_at) - BEFORE_SEALING
    lines = lines_in_groups(target.client("logs"), target.stage, batch_id, since)
    lines += lines_in_files(_files_of_workers(target), batch_id)
    return sorted(lines, key=lambda line: line.at)


def _files_of_workers(target: Target) -> list[Path]:
    """Where the workers beside a local cloud log; all that runs in a cloud is in CloudWatch."""
    return [path for path in _log_files(target) if not _is_of_the_cloud(path)]


def _files_left_out(target: Target) -> list[Path]:
    """Logs of the local cloud's own processes, whose lines belong to no batch."""
    return [path for path in _log_files(target) if _is_of_the_cloud(path)]


def _is_of_the_cloud(path: Path) -> bool:
    from infra.local.records import CLOUD, SUPERVISOR

    return path.stem in (CLOUD, SUPERVISOR)


def _log_files(target: Target) -> list[Path]:
    local = find_running_cloud()
    directory = cloud_directory(Path.cwd())
    if local is None or directory is None or local[0] != target.endpoint:
        return []
    from infra.local.folders import Folders

    return sorted(Folders(directory).logs.glob("*.log"))


def _time_of_day(at: str) -> str:
    return at[:23].replace("T", " ")
