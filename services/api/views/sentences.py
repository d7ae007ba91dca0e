"""What an event means, in one human sentence per event type."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.envelope import Message
from services.runtime.wording import listed, plural, size

SHOWN_LINES = 10


def describe(event: Message) -> str:
    """What an event means, in words; an event type this ecp does not know is named as it is."""
    sentence = _SENTENCES.get(event.event_type)
    return sentence(event.data) if sentence is not None else event.event_type


def _series(anomaly: Any) -> str:
    if anomaly.category is not None:
        return f"revenue of {anomaly.category}"
    return str(anomaly.series).replace("_", " ")


def _sealed(sealed: Any) -> str:
    why = {
        "MANIFEST": "all files of the manifest arrived",
        "SETTLED": "the set was complete and nothing more arrived",
        "MANUAL": "started by hand",
    }[sealed.trigger]
    return f"sealed with {plural(sealed.file_count, 'file')} ({size(sealed.size_bytes)}): {why}"


def _validated(file: Any) -> str:
    ignored = f", ignored columns {', '.join(file.unknown_columns)}" if file.unknown_columns else ""
    return (
        f"{file.key}: {plural(file.rows_in, 'row')}, {file.accepted:,} accepted, "
        f"{file.quarantined:,} quarantined{ignored}"
    )


def _kpis(published: Any) -> str:
    waiting = (
        f", {plural(published.waiting_order_items, 'order line')} waiting for their orders"
        if published.waiting_order_items
        else ""
    )
    return (
        f"KPIs of {plural(published.affected_days, 'day')} published: "
        f"{published.order_kpis:,} order, {published.category_kpis:,} category, "
        f"{published.deleted:,} deleted{waiting}"
    )


def _erased(place: Any) -> str:
    return (
        f"{plural(place.rows + place.uncertain_rows, 'row')}, "
        f"{plural(place.rewritten_objects, 'object')} rewritten, "
        f"{plural(place.deleted_versions, 'version')} deleted"
    )


def _rejected(batch: Any) -> str:
    files = "; ".join(f"{file.key}: {file.reason}" for file in batch.rejected_files)
    return f"REJECTED, nothing was published: {files or batch.reason}"


def _waiting_for(returned: Any) -> str:
    if returned.awaiting is None:
        return "waiting for a corrected " + f"{' and '.join(returned.awaiting_kinds)} file".lstrip()
    if not returned.awaiting:
        return "free to go on by themselves" if not returned.awaiting_kinds else "waiting too"
    return f"waiting for a corrected {_keys([one.key for one in returned.awaiting])}"


def _superseded(one: Any) -> str:
    where = f" of {one.by_key}" if one.by_key else ""
    return f"{one.key} version {one.version_id} superseded by version {one.by_version_id}{where}"


def _keys(keys: Sequence[str]) -> str:
    return listed(keys, SHOWN_LINES)


def _dismissed(rows: Any) -> str:
    if rows.lines is None:
        return "everything in quarantine"
    lines = listed(rows.lines, SHOWN_LINES)
    return f"quarantined line{'s' * (len(rows.lines) > 1)} {lines}"


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "FileDetected": lambda e: f"{e.key} arrived ({size(e.size_bytes)})",
    "FileIgnored": lambda e: (
        f"{e.key} ignored: {e.reason}"
        + (f"; did you mean {e.did_you_mean}?" if e.did_you_mean else "")
    ),
    "FileSuperseded": lambda e: (
        f"{e.key} version {e.version_id} superseded by version {e.by_version_id}"
        + (f" of {e.by_key}" if e.by_key else "")
        + f": {e.reason}"
    ),
    "SourceAdded": lambda e: (
        f"source {e.source.name} v{e.source.version} added: {e.title or e.key}"
    ),
    "SourceRemoved": lambda e: f"source {e.name} v{e.version} removed; its files wait",
    "SourceRefused": lambda e: f"{e.key} refused: {e.reason}",
    "LookupReceived": lambda e: f"lookup {e.lookup} of source {e.source} ({size(e.size_bytes)})",
    "FileGone": lambda e: f"{e.key} is gone: {e.reason}",
    "ManifestReceived": lambda e: f"manifest {e.key} names {plural(len(e.files), 'file')}",
    "FilesCarriedOver": lambda e: (
        f"{plural(len(e.files), 'file')} left for the next batch"
        if e.files
        else "nothing left for the next batch"
    ),
    "FilesReturned": lambda e: (
        f"{plural(len(e.files), 'healthy file')} returned, {_waiting_for(e)}"
    ),
    "FileSetSealed": lambda e: (
        f"file set {e.set_number} closed as this batch"
        + (f"; {_keys([_superseded(one) for one in e.superseded])}" if e.superseded else "")
    ),
    "BatchSealed": _sealed,
    "BatchStarted": lambda e: f"execution started{_attempt(e.attempt)}",
    "BatchOverdue": lambda e: f"incomplete for too long: {', '.join(e.missing)} missing",
    "BatchRedriven": lambda e: f"redriven by {e.requested_by}{_attempt(e.attempt)}",
    "QuarantineDismissed": lambda e: (
        f"{_dismissed(e)} of {e.key} given up by {e.requested_by}: {e.reason}"
    ),
    "RejectionAnswered": lambda e: (
        f"corrected versions of {_keys(e.keys)} are published by batch {e.answered_by}"
    ),
    "BatchReleased": lambda e: (
        f"{plural(e.file_count, 'healthy file')} released as batch {e.released_as} by "
        f"{e.requested_by}: {e.reason}"
    ),
    "BatchCompleted": lambda e: f"COMPLETED: {e.remark}" if e.remark else "COMPLETED",
    "BatchRejected": _rejected,
    "BatchFailed": lambda e: f"FAILED: {e.reason}",
    "LockQueued": lambda e: f"waiting for the lock, number {e.position} in line",
    "LockGranted": lambda e: f"lock granted, fence {e.fence}",
    "LeaseExtended": lambda e: f"lock lease extended to {e.lease_until}",
    "LockReleased": lambda e: f"lock released, fence {e.fence}",
    "LockRecovered": lambda e: f"lock taken back, fence {e.fence}: {e.detail}",
    "WaiterSkipped": lambda e: f"no longer in line for the lock: {e.reason}",
    "FileValidated": _validated,
    "FileRejected": lambda e: f"{e.key} rejected: {e.reason} (rule {e.rule})",
    "TransformStarted": lambda e: f"transforming with {e.engine}: {e.engine_reason}",
    "FactsPublished": lambda e: f"facts published in {plural(len(e.snapshots), 'table')}",
    "KpisPublished": _kpis,
    "BatchAbandoned": lambda e: f"rolled back: {e.reason}",
    "DaysRebuilt": lambda e: (
        f"KPIs of {e.first_day} to {e.last_day} rebuilt, {e.days_done:,} of "
        f"{plural(e.days_total, 'day')}"
    ),
    "KpiAnomalyDetected": lambda e: (
        f"{_series(e)} of {e.order_date} is odd: {e.value:,g}, expected {e.expected:,g} "
        f"({e.lowest:,g} to {e.highest:,g})"
    ),
    "KpiAnomalyResolved": lambda e: (
        f"{_series(e)} of {e.order_date} is odd no longer: {e.value:,g}, was {e.odd_value:,g}"
    ),
    "KpisRebuilt": lambda e: (
        f"KPIs of {plural(e.days, 'day')} rebuilt from the facts: {e.order_kpis:,} order, "
        f"{e.category_kpis:,} category, {e.deleted:,} deleted, {e.unchanged:,} were right"
    ),
    "FactsMaintained": lambda e: f"facts looked after in {e.duration_seconds:.1f} s",
    "FenceRaised": lambda e: (
        f"only fences above {e.fence} are granted now, asked for by {e.requested_by}: {e.reason}"
    ),
    "FenceAdmitted": lambda e: (
        f"fences under {e.fence} are stale now ({e.fence_before} was seen before), asked for by "
        f"{e.requested_by}: {e.reason}"
    ),
    "UpkeepRefused": lambda e: f"a rebuild or an upkeep gave way: {e.reason}",
    "UserErasedFromQuarantine": lambda e: f"erased from quarantine: {_erased(e)}",
    "UserErasedFromArchive": lambda e: f"erased from the archive: {_erased(e)}",
    "UserErasedFromFacts": lambda e: (
        f"erased from the facts: {plural(e.rows, 'order')} of {plural(e.days, 'day')}, "
        f"{plural(e.expired_snapshots, 'snapshot')} dropped, {plural(e.deleted_files, 'file')} "
        "deleted"
    ),
    "FactsRekeyed": lambda e: (
        f"pseudonyms of generation {e.generation} in {plural(e.rows, 'order')} of "
        f"{plural(e.days, 'day')}, {plural(e.expired_snapshots, 'snapshot')} dropped, "
        f"{plural(e.deleted_files, 'file')} deleted"
    ),
    "BatchArchived": lambda e: (
        f"{plural(e.file_count, 'file')} ({size(e.size_bytes)}) archived under {e.archive_prefix}"
        + (f"; deleted by somebody before: {_keys(e.gone)}" if e.gone else "")
    ),
}


def _attempt(attempt: int) -> str:
    return f", attempt {attempt + 1}" if attempt else ""
