"""How a batch ended: the JSON that `ecp submit --wait` promises (docs/design.md, Command line)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from contracts.messages import BatchManifest, BatchResult, FileReport, FileResult
from infra.ecp.batches import progress
from infra.ecp.batches.progress import ENDS, ending
from services.aggregator.sources.catalogue import label
from services.runtime.storage.documents import ObjectStore
from services.runtime.storage.expired_documents import read_unless_expired

NOTHING_PUBLISHED = {"order_kpis": 0, "category_kpis": 0, "deleted": 0}
FILE_FIELDS = (
    "key",
    "kind",
    "status",
    "rows_in",
    "accepted",
    "quarantined",
    "duplicates",
    "reason",
    "guests",
    "unknown_columns",
    "source",
    "left_out",
)

Outcome = dict[str, Any]


def read_outcome(
    events: Sequence[Message],
    objects: ObjectStore,
    started_at: datetime,
    earlier: Sequence[Message] = (),
) -> Outcome | None:
    """The outcome of one attempt at a batch, None while it runs.

    `events` are those of the attempt and of the seal, `earlier` those of the attempts before it,
    whose publication stands. `started_at` is when the first file was uploaded (or the redrive was
    asked for): `duration_seconds` runs from there to the close.
    """
    end = ending(events)
    if end is None:
        return None
    seconds = (from_rfc3339(end.occurred_at) - started_at).total_seconds()
    common = {
        "batch_id": end.data.batch_id,
        "status": ENDS[end.event_type],
        "engine": None,
        "duration_seconds": round(max(seconds, 0.0), 3),
    }
    if end.event_type == "BatchCompleted":
        result = BatchResult.model_validate(objects.get_json(end.data.result))
        told = completed(result, _seen_before(events, objects))
        return common | told | {"reason": end.data.remark}
    publication = next((e for e in (*events, *earlier) if e.event_type == "KpisPublished"), None)
    if publication is not None:
        result = BatchResult.model_validate(objects.get_json(publication.data.result))
        seen_before = _seen_before((*events, *earlier), objects)
        return common | completed(result, seen_before) | {"reason": end.data.reason}
    begun = {"publication": progress.publication((*events, *earlier))}
    manifest = _manifest(events, objects)
    reports = {
        index: FileReport.model_validate(objects.get_json(ref))
        for index, ref in _report_refs(events).items()
    }
    refused = {each.key: each.reason for each in getattr(end.data, "rejected_files", ())}
    return common | unpublished(manifest, reports, end.data.reason, refused) | begun


def completed(
    result: BatchResult, seen_before: Mapping[int, str | None] = MappingProxyType({})
) -> Outcome:
    """What a published batch did, from its result document.

    `seen_before`: by file index, the earlier batch that had an input of equal content.
    """
    files = sorted(result.files, key=lambda file: file.index)
    return {
        "engine": result.engine,
        "files": [_file(file, seen_before.get(file.index)) for file in files],
        "seen_before": all_seen_before([seen_before.get(file.index) for file in files]),
        "restated": restated(result),
        "guests": result.guests,
        "currency": result.currency,
        "waiting_order_items": result.waiting_order_items,
        "affected_days": sorted(result.affected_days),
        "published": result.published.model_dump(),
        "order_totals": order_totals(result),
        "publication": "done",
        "reason": None,
    }


def all_seen_before(batches: Sequence[str | None]) -> str | None:
    """The batch that had all these files before, the one of the last file where there are several.

    None when one file is new.
    """
    return batches[-1] if batches and all(batches) else None


def restated(result: BatchResult) -> dict[str, Any] | None:
    """How many rows of older files were replaced, with up to three examples; None: not told."""
    return None if result.restated is None else result.restated.model_dump()


def read_result(end: Message | None, objects: ObjectStore) -> BatchResult | None:
    """The result of a completed batch by its last event; None when there is none, or no more."""
    if end is None or end.event_type != "BatchCompleted":
        return None
    document = read_unless_expired(objects, end.data.result)
    return BatchResult.model_validate(document) if document is not None else None


def read_seen_before(events: Sequence[Message], objects: ObjectStore) -> str | None:
    """The batch that had all files of this one before; None when one is new, or nobody knows."""
    by_index = _seen_before(events, objects)
    return all_seen_before([by_index[index] for index in sorted(by_index)])


def order_totals(result: BatchResult) -> dict[str, Any] | None:
    """Orders whose total is not the sum of their lines, and the worst; None when not compared."""
    if result.order_totals is None:
        return None
    return {
        "differing": result.order_totals.differing,
        "worst": [
            {
                "order_id": order.order_id,
                "total_amount": Decimal(order.total_amount_cents).scaleb(-2),
                "lines": Decimal(order.lines_cents).scaleb(-2),
            }
            for order in result.order_totals.worst
        ],
    }


def unpublished(
    manifest: BatchManifest | None,
    reports: Mapping[int, FileReport],
    reason: str,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Outcome:
    """What a rejected or failed batch got to, from its manifest and the reports that exist.

    `refused` are the files at fault by key, with the reason, when the batch was rejected: by the
    validator, or for a fault that only the transformer sees, another currency say. A file that was
    not checked before the batch failed has the status `unchecked`.
    """
    pinned = sorted(manifest.files, key=lambda file: file.index) if manifest else []
    files = []
    for file in pinned:
        original = file.index if file.duplicate_of is None else file.duplicate_of
        report = reports.get(original)
        repeated = file.duplicate_of is not None
        rows_in = report.rows_in if report else 0
        files.append(
            {
                "key": file.key,
                "kind": file.kind,
                "status": _status(file.key, report, refused, repeated=repeated),
                "rows_in": rows_in,
                "accepted": 0 if repeated or report is None else report.accepted,
                "quarantined": 0 if repeated or report is None else report.quarantined,
                "duplicates": rows_in if repeated else (report.duplicates if report else 0),
                "reason": _repeats(manifest, original)
                if repeated
                else (report and report.reason) or refused.get(file.key),
                "guests": 0 if repeated or report is None else report.guests,
                "unknown_columns": list(report.unknown_columns) if report else [],
                "source": label(file.source),
                "left_out": {} if repeated or report is None else dict(report.left_out),
                "seen_before": file.seen_before,
            }
        )
    return {
        "files": files,
        "seen_before": all_seen_before([file.seen_before for file in pinned]),
        "restated": None,
        "guests": 0,
        "currency": None,
        "waiting_order_items": 0,
        "affected_days": [],
        "published": dict(NOTHING_PUBLISHED),
        "order_totals": None,
        "publication": "none",
        "reason": reason,
    }


def _status(
    key: str, report: FileReport | None, refused: Mapping[str, str], *, repeated: bool
) -> str:
    if repeated:
        return "duplicate"
    if report is None:
        return "unchecked"
    return "rejected" if key in refused else report.status


def _repeats(manifest: BatchManifest | None, original: int) -> str | None:
    files = manifest.files if manifest else []
    key = next((file.key for file in files if file.index == original), None)
    return f"the same content as {key}" if key else None


def _file(file: FileResult, seen_before: str | None) -> dict[str, Any]:
    document = file.model_dump()
    return {name: document[name] for name in FILE_FIELDS} | {"seen_before": seen_before}


def _seen_before(events: Sequence[Message], objects: ObjectStore) -> dict[int, str | None]:
    """By file index; nothing once the manifest has expired."""
    sealed = [e for e in events if e.event_type in ("BatchSealed", "BatchRedriven")]
    document = read_unless_expired(objects, sealed[-1].data.manifest) if sealed else None
    if document is None:
        return {}
    return {file.index: file.seen_before for file in BatchManifest(**document).files}


def _manifest(events: Sequence[Message], objects: ObjectStore) -> BatchManifest | None:
    sealed = [e for e in events if e.event_type in ("BatchSealed", "BatchRedriven")]
    if not sealed:
        return None
    return BatchManifest.model_validate(objects.get_json(sealed[-1].data.manifest))


def _report_refs(events: Sequence[Message]) -> dict[int, Any]:
    """The newest report of each file."""
    return {
        event.data.file_index: event.data.report
        for event in events
        if event.event_type in ("FileValidated", "FileRejected")
    }
