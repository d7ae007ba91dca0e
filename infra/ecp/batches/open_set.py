"""The files that wait to become a batch, and what they wait for, as the aggregator would say it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from contracts.clock import to_rfc3339
from infra.ecp.names import STATE_TABLE, table
from services.aggregator.open_set.completeness import missing, of_rejected
from services.aggregator.open_set.domain import FileSet, Hold
from services.aggregator.open_set.loading import with_catalogue
from services.aggregator.open_set.waiting import Group, classify_pending
from services.aggregator.read_model import open_set_key
from services.aggregator.sources.catalogue import label
from services.runtime.event_store import EventStore, StateTables

SETTLES = "a quiet moment: SETTLE_SECONDS without a new file"


def read_open_set(store: EventStore, tables: StateTables, bucket: str) -> dict[str, Any]:
    """The open set of a bucket: its files, oldest first, and what is missing, in words."""
    file_set, products_known = load_open_set(store, tables, bucket)
    return describe_open_set(file_set, products_known=products_known)


def load_open_set(store: EventStore, tables: StateTables, bucket: str) -> tuple[FileSet, bool]:
    """The open set as the aggregator folds it, and whether products are known from before."""
    pointer = tables.get_item(table(STATE_TABLE), open_set_key(bucket)) or {}
    start = FileSet(bucket, int(pointer.get("set_number", 1)))
    file_set = with_catalogue(start.evolve(store.read(start.stream_id)), tables, table(STATE_TABLE))
    return file_set, bool(pointer.get("products_known", False))


def describe_open_set(file_set: FileSet, *, products_known: bool) -> dict[str, Any]:
    """The set as `ecp status --json` gives it.

    `held`: rejected batches whose healthy files (`files`) wait, the keys that have to come
    corrected (`awaiting`, null when not known: only `ecp release` lets them go), and those that
    have come already (`corrected`).
    """
    since = file_set.waiting_since
    settle = timedelta(0)
    settled = f"{settle.total_seconds():g} seconds without a new file"
    wanted = missing(file_set, products_known=products_known, settle=settle)
    by_age = sorted(file_set.files.values(), key=lambda pending: pending.age)
    return {
        "bucket": file_set.bucket,
        "set_number": file_set.number,
        "files": [
            {
                "key": pending.file.key,
                "kind": pending.file.kind,
                "source": label(file_set.catalogue.pinned(pending.file)),
                "version_id": pending.file.version_id,
                "size_bytes": pending.file.size_bytes,
                "arrived_at": to_rfc3339(pending.arrived_at),
                "manifest": pending.file.manifest_key,
                "held_by": pending.file.held_by,
            }
            for pending in by_age
        ],
        "manifests": sorted(file_set.manifests),
        "held": [
            _held(group, hold)
            for group in classify_pending(file_set).groups
            for hold in group.holds
        ],
        "waiting_since": to_rfc3339(since) if since else None,
        "waiting_for": [SETTLES if reason == settled else reason for reason in wanted],
    }


def waiting_for_besides(open_set: Mapping[str, Any]) -> list[str]:
    """What a described open set waits for, without what its `held` say themselves."""
    said = tuple(of_rejected(held["batch_id"]) for held in open_set["held"])
    return [reason for reason in open_set["waiting_for"] if not reason.startswith(said)]


def _held(group: Group, hold: Hold) -> dict[str, Any]:
    awaiting = group.missing_of(hold)
    own = group.only(hold)
    return {
        "batch_id": hold.batch_id,
        "awaiting": None if awaiting is None else list(awaiting),
        "corrected": [key for key in hold.awaiting or () if key not in (awaiting or ())],
        "files": sorted({pending.file.key for pending in own.held}),
    }
