"""What `ecp status` shows, read and printed; loaded after its first line is out."""

from pathlib import Path
from typing import Any

from contracts.clock import system_clock
from infra.ecp.batches.open_set import waiting_for_besides
from infra.ecp.batches.view import print_closed, print_running
from infra.ecp.cloud.status_queries import Sources, read_status
from infra.ecp.target import Target, cloud_directory
from infra.ecp.terminal.output import print_json, print_line, print_table
from services.runtime.wording import listed, plural, size

SHOWN_FILES, SHOWN_REASONS, SHOWN_MESSAGES, SHOWN_KEYS = 20, 5, 10, 10


def show(target: Target, *, as_json: bool) -> None:
    """Everything that is going on there, for people or for programs."""
    found = read_status(_sources(target), system_clock())
    health = _health(target)
    if as_json:
        print_json(found | {"local": health})
        return
    if health is not None:
        _print_health(health)
    held = found["lock"]
    print_line(
        f"lock: held by batch {held['batch_id']} until {held['lease_until']}, "
        f"{len(held['waiters'])} in line"
        if held["held"]
        else "lock: free"
    )
    print_open_set(found["open_set"])
    print_running(found["running"])
    print_closed("Last batches", found["last_batches"])
    _print_left_out(found["left_out"])
    dead = {queue: count for queue, count in found["dead_letters"].items() if count}
    print_table("Dead letters", ("queue", "messages"), list(dead.items()), empty="none")


def _sources(target: Target) -> Sources:
    return Sources(
        dynamodb=target.client("dynamodb"),
        sqs=target.client("sqs"),
        stepfunctions=target.client("stepfunctions"),
        store=target.event_store,
        objects=target.objects,
        bucket=target.names.data_bucket,
        queue_prefix=target.stage.prefix,
    )


def _health(target: Target) -> dict[str, Any] | None:
    """Of the local cloud of this directory, if that is the one spoken to."""
    directory = cloud_directory(Path.cwd())
    if directory is None:
        return None
    from infra.local import cloud
    from infra.local.health import read_health

    running = cloud.find(directory)
    if running is None or running.endpoint != target.endpoint:
        return None
    return read_health(directory)


def _print_health(health: dict[str, Any]) -> None:
    for worker in health["workers"]:
        print_line(f"worker {worker['name']}: {said_of(worker)}")
        if fault := worker["last_fault"]:
            print_line(
                f"  last fault, at {fault['at']}, in {fault.get('message')} of batch "
                f"{fault.get('batch_id')}: {fault['error']}"
            )
    disk = health["disk"]
    print_line(f"disk: {size(disk['free_bytes'])} free for {disk['path']}{said_of_space(disk)}")
    if health["save_failed"]:
        print_line(
            f"NOT SAVED since {health['saved_at']}: {health['save_failed']}; what came later is "
            "lost if the cloud is stopped now"
        )
    print_table(
        "Messages tried again",
        ("queue", "message", "batch", "deliveries"),
        [
            (one["queue"], one["message"] or "-", one["batch_id"] or "-", one["deliveries"])
            for one in health["retried"]
        ],
        limit=SHOWN_MESSAGES,
    )


def said_of(worker: dict[str, Any]) -> str:
    """What a worker does, in words; what to do about one that does nothing."""
    busy = worker["busy"]
    doing = f"{busy['message']} of batch {busy['batch_id']} since {busy['since']}" if busy else ""
    match worker["state"]:
        case "dead":
            return "dead; the local cloud starts it again within half a minute"
        case "silent":
            return (
                f"SILENT for {worker['silent_seconds']:.0f} s"
                f"{f', in the middle of {doing}' if doing else ''}: paused or stuck; "
                f"`kill -CONT {worker['pid']}` wakes it, `kill -9 {worker['pid']}` replaces it"
            )
        case "busy":
            return f"busy with {doing}"
        case state:
            return str(state)


def said_of_held(held: dict[str, Any]) -> str:
    """Whose files wait for what: those of a rejected batch for its corrected keys."""
    batch_id, awaiting = held["batch_id"], held["awaiting"]
    count = len(held["files"])
    verb, them = ("waits", "it") if count == 1 else ("wait", "them")
    waiting = f"{plural(count, 'file')} of rejected batch {batch_id} {verb}"
    if awaiting is None:
        return f"{waiting}: `ecp release {batch_id} --reason WHY` lets {them} go"
    named = listed(awaiting, SHOWN_KEYS) or "nothing more"
    return f"{waiting} for a corrected version of: {named}"


def said_of_space(disk: dict[str, Any]) -> str:
    """A warning when it is short."""
    if not disk["is_short"]:
        return ""
    return "; SHORT: batches fail with 'No space left on device' when it is used up"


def _print_left_out(left_out: list[dict[str, Any]]) -> None:
    if not left_out:
        return
    print_table(
        "Left out lately (`ecp ignored --all` has them all)",
        ("when (UTC)", "what", "key", "why"),
        [(row["at"][:19], row["what"], row["key"], _why_left_out(row)) for row in left_out],
    )


def _why_left_out(row: dict[str, Any]) -> str:
    meant = f"; did you mean {row['did_you_mean']}?" if row["did_you_mean"] else ""
    return f"{row['reason']}{meant}"


def print_open_set(open_set: dict[str, Any]) -> None:
    """Which files wait, and for what; what a rejected batch waits for is said with its files."""
    files = open_set["files"]
    if not files and not open_set["manifests"]:
        print_line("open set: empty")
        return
    print_line(f"open set: {plural(len(files), 'file')} waiting since {open_set['waiting_since']}")
    reasons = waiting_for_besides(open_set)
    for reason in reasons[:SHOWN_REASONS]:
        print_line(f"  waits for {reason}")
    if len(reasons) > SHOWN_REASONS:
        print_line(f"  and for {len(reasons) - SHOWN_REASONS:,} more (--json has them all)")
    for held in open_set["held"]:
        print_line(f"  {said_of_held(held)}")
    print_table(
        "Waiting files",
        ("file", "source", "size", "arrived (UTC)"),
        [
            (file["key"], file.get("source"), size(file["size_bytes"]), file["arrived_at"][:19])
            for file in files
        ],
        limit=SHOWN_FILES,
    )
