"""Files: noticing them, sealing complete sets, reporting overdue ones. Gather, decide, apply.

What happens to a batch once it is sealed is in batch_use_cases.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import BaseModel

from contracts import layout
from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.identities import FileIdentity
from contracts.messages import (
    BatchOverdue,
    FileGone,
    FileIgnored,
    FilesCarriedOver,
    FileSuperseded,
    ManifestReceived,
    SealFileSet,
)
from services.aggregator import notifications as notices
from services.aggregator import read_model
from services.aggregator.batch import domain as batches
from services.aggregator.open_set.carry_over import fits_at_once, next_to_open
from services.aggregator.open_set.completeness import (
    Selection,
    blocked_by,
    complete_selection,
    held_with,
    manual_selection,
    settles_at,
    spent_manifests,
)
from services.aggregator.open_set.domain import stream_of
from services.aggregator.open_set.ignored_files import tell_of_ignored
from services.aggregator.open_set.loading import OpenSet, load, next_set, read_catalogue
from services.aggregator.open_set.object_lookup import (
    Upload,
    look_again,
    look_for_missing,
    unseen,
)
from services.aggregator.open_set.sealing import (
    Sealing,
    gone,
    overdue,
    pin,
    seal,
    superseded,
    without_files,
)
from services.aggregator.open_set.seen_contents import seen_before
from services.aggregator.open_set.sweep import keep_position, sweep_versions
from services.aggregator.ports import SOURCE, Ports
from services.aggregator.sources.catalogue import needed_lookups
from services.aggregator.sources.shelf import refresh_lookups, refresh_sources
from services.aggregator.sources.waiting_files import writes_beside
from services.runtime.event_store import (
    PutItem,
    StateWrite,
    StreamAppend,
    retry_on_conflict,
)
from services.runtime.observability.logs import logger
from services.runtime.storage.documents import check_document

FILES_PER_TRANSACTION = 20
"""Five writes each at most: its event, its rows, and what it waited for."""
IGNORED_PER_TRANSACTION = 45
TAKEN_IN_AT_ONCE = 500
"""Files whose source has come, in one look; the others a minute later."""
MAX_DELAY_SECONDS = 900
"""Limit of an SQS message's delay (AWS API reference)."""


def take_in(bucket: str, uploads: Sequence[Upload], ports: Ports) -> list[BatchOverdue]:
    """Record new uploads in the open set, each version once, and seal what is complete.

    Returns what was found overdue on the way.
    """
    _record_all(bucket, uploads, ports)
    if any(isinstance(upload.event, ManifestReceived) for upload in uploads):
        _record_missing(bucket, ports)
    overdue_now = check_file_set(bucket, ports)
    check_when_settled(bucket, ports)
    tell_of_ignored(bucket, [upload.event for upload in uploads], ports)
    return overdue_now


def look_after_sources(bucket: str, ports: Ports) -> None:
    """See what stands under `sources/`, take in what waited for it, and check the open set."""
    _record_sources(bucket, ports)
    check_file_set(bucket, ports)
    check_when_settled(bucket, ports)


def look_after_file_set(bucket: str, ports: Ports) -> list[BatchOverdue]:
    """The sweep's look at a bucket: find what notifications missed, then check the open set."""
    _record_sources(bucket, ports)
    before = retry_on_conflict(partial(load, bucket, ports)).files
    swept = sweep_versions(bucket, ports)
    _record_all(bucket, swept.uploads, ports)
    if swept.listed is not None:
        _drop_gone([one for one in before.files if one not in swept.listed], bucket, ports)
    keep_position(bucket, swept.position, ports)
    _record_missing(bucket, ports)
    overdue_now = check_file_set(bucket, ports)
    if swept.uploads:
        check_when_settled(bucket, ports)
        tell_of_ignored(bucket, [upload.event for upload in swept.uploads], ports)
    return overdue_now


def check_file_set(bucket: str, ports: Ports) -> list[BatchOverdue]:
    """Seal all that is complete now, then report what is overdue (and return it)."""
    sealed_any = False
    while retry_on_conflict(partial(_seal_complete, bucket, ports)):
        sealed_any = True
    if sealed_any:
        check_when_settled(bucket, ports)
    return retry_on_conflict(partial(_report_overdue, bucket, ports))


def check_when_settled(bucket: str, ports: Ports) -> None:
    """Have the set checked at the moment when it settles, if nothing but time is missing.

    Only who changes a set calls this: a check that called it would breed checks.
    """
    open_set = retry_on_conflict(partial(load, bucket, ports))
    moment = settles_at(open_set.files, products_known=open_set.products_known, settle=ports.settle)
    if moment is not None:
        seconds = math.ceil((moment - ports.clock()).total_seconds())
        ports.checks.send(bucket, min(max(seconds, 0), MAX_DELAY_SECONDS))


def seal_file_set(message: Message, ports: Ports) -> dict[str, Any]:
    """A person's start: seal what is pending, once per execution; the answer for the saga."""
    command: SealFileSet = message.data
    return retry_on_conflict(partial(_seal_by_hand, command, message.event_id, ports))


def tell_overdue(message: Message, ports: Ports) -> None:
    """Tell people what a set has waited for too long."""
    ports.people.tell(notices.overdue(message.data))


def _record_all(bucket: str, uploads: Sequence[Upload], ports: Ports) -> None:
    for start in range(0, len(uploads), FILES_PER_TRANSACTION):
        record = partial(_record, bucket, uploads[start : start + FILES_PER_TRANSACTION], ports)
        retry_on_conflict(record)


def _record_sources(bucket: str, ports: Ports) -> None:
    """See what stands under `sources/` and of the lookups that are asked, and what waited for it.

    A file waits for its source as an ignored one: when the source is known, it is no longer that.
    """
    refresh_sources(bucket, ports)
    open_set = retry_on_conflict(partial(load, bucket, ports))
    waiting = (one.file.source.name for one in open_set.files.files.values() if one.file.source)
    known = open_set.files.catalogue
    refresh_lookups(bucket, needed_lookups(set(waiting), known).values(), ports)
    rows = ports.store.query(ports.table, read_model.without_source(bucket))
    if rows:
        known = read_catalogue(bucket, ports)
        found = [row for row in rows if known.source(row["source"])][:TAKEN_IN_AT_ONCE]
        _record_all(bucket, [look_again(bucket, row, ports) for row in found], ports)


def _record_missing(bucket: str, ports: Ports) -> None:
    """Take in what a manifest waits for, if it is there and its notification is not."""
    open_set = retry_on_conflict(partial(load, bucket, ports))
    _record_all(bucket, look_for_missing(open_set.files, ports), ports)


def _drop_gone(unlisted: Sequence[FileIdentity], bucket: str, ports: Ports) -> None:
    """Tell of waiting files that are deleted; a file that has just been archived waits no more."""
    suspects = list(unlisted[:IGNORED_PER_TRANSACTION])
    missed = ports.uploads.gone(suspects) if suspects else set()

    def drop() -> None:
        open_set = load(bucket, ports)
        waiting = [one for identity, one in open_set.files.files.items() if identity in missed]
        if waiting:
            _append(open_set, [gone(one) for one in waiting], ports)

    if missed:
        retry_on_conflict(drop)


def _record(bucket: str, uploads: Sequence[Upload], ports: Ports) -> None:
    open_set = load(bucket, ports)
    fresh = unseen(uploads, ports)
    if not fresh:
        return
    now = ports.clock()
    remembered: list[StateWrite] = [
        PutItem(
            ports.table,
            read_model.seen_row(
                upload.identity, upload.event, to_rfc3339(now), open_set.files.number
            ),
            unless_exists=upload.counts_after is None,
            expected={"seen_as": upload.counts_after} if upload.counts_after else None,
        )
        for upload in fresh
        if upload.identity is not None
    ]
    for upload in fresh:
        remembered += writes_beside(upload, now, bucket, ports)
    _append(open_set, [upload.event for upload in fresh], ports, *remembered, at=now)


def _seal_complete(bucket: str, ports: Ports) -> bool:
    """Take one step towards sealing; False when nothing is complete."""
    open_set = load(bucket, ports)
    spent = spent_manifests(open_set.files)[:IGNORED_PER_TRANSACTION]
    if spent:
        _append(open_set, [without_files(bucket, claim.waiting) for claim in spent], ports)
        return True
    selection = complete_selection(
        open_set.files,
        products_known=open_set.products_known,
        now=ports.clock(),
        settle=ports.settle,
    )
    if selection is None:
        return False
    if not must_look_again(open_set, selection, ports):
        seal_selection(open_set, selection, ports)
    return True


def must_look_again(open_set: OpenSet, selection: Selection, ports: Ports) -> bool:
    """Whether something was not as known: sources and lookups, overtaken files, deleted ones."""
    names = {one.file.source.name for one in selection.files if one.file.source}
    bucket, known = open_set.files.bucket, open_set.files.catalogue
    if names and refresh_sources(bucket, ports):
        return True
    if refresh_lookups(bucket, needed_lookups(names, known).values(), ports):
        return True
    return drop_what_cannot_go(open_set, selection, ports)


def _seal_by_hand(command: SealFileSet, causation_id: str, ports: Ports) -> dict[str, Any]:
    sealed_before = ports.store.get_item(
        ports.table, read_model.execution_key(command.execution_id)
    )
    if sealed_before is not None:
        row = ports.store.get_item(ports.table, read_model.batch_key(sealed_before["batch_id"]))
        return _sealed_answer(row or {})
    while True:
        open_set = load(command.bucket, ports)
        selection = manual_selection(open_set.files, command.file_key)
        if selection is None:
            told = _nothing_pending(
                command,
                held_with(open_set.files, command.file_key),
                blocked_by(open_set.files, command.file_key),
            )
            return {"outcome": "NOTHING_PENDING", "message": told}
        if not must_look_again(open_set, selection, ports):
            row = seal_selection(open_set, selection, ports, command.execution_id, causation_id)
            return _sealed_answer(row)


def seal_selection(
    open_set: OpenSet,
    selection: Selection,
    ports: Ports,
    execution_id: str | None = None,
    causation_id: str | None = None,
    also: Callable[[str], Sequence[StreamAppend]] = lambda _batch_id: (),
) -> read_model.Row:
    """Pin the manifest in S3, then close the set into the batch; the row of the batch.

    `also`: what else the same decision appends, given the batch's id.
    """
    files, now = open_set.files, ports.clock()
    before = seen_before(selection.files, ports)
    manifest = pin(selection, now, before, files.catalogue)
    document = manifest.model_dump(mode="json")
    check_document("BatchManifest", document)
    key = layout.manifest_key(manifest.batch_id)
    ref = ports.documents.put_json(files.bucket, key, document)
    sealing = seal(
        files,
        selection,
        manifest,
        ref,
        products_known=open_set.products_known,
        execution_id=execution_id,
    )
    opening = _opening(files.bucket, sealing, ports)
    row = read_model.row_of(sealing.batch, files.number, manifest.sealed_at)
    ports.store.append(
        StreamAppend(files.stream_id, files.version, sealing.closing),
        StreamAppend(stream_of(files.bucket, files.number + 1), 0, opening),
        StreamAppend(batches.stream_of(sealing.batch_id), 0, sealing.batch),
        *also(sealing.batch_id),
        context=MessageContext(SOURCE, sealing.batch_id, causation_id),
        writes=[next_set(open_set, ports), *read_model.batch_writes(ports.table, row)],
    )
    logger.info(
        "%s sealed as batch %s", files.stream_id, sealing.batch_id, batch_id=sealing.batch_id
    )
    return row


def _opening(bucket: str, sealing: Sealing, ports: Ports) -> list[FilesCarriedOver]:
    """The events that open the next set; the first of them where one transaction takes no more.

    All of them lie in S3 then, and who loads the set appends the others (loading.py).
    """
    if fits_at_once(sealing.opening):
        return sealing.opening
    document = {"events": [event.model_dump(mode="json") for event in sealing.opening]}
    key = layout.carried_over_key(sealing.batch_id)
    return next_to_open(sealing.opening, 0, ports.documents.put_json(bucket, key, document))


def drop_what_cannot_go(open_set: OpenSet, selection: Selection, ports: Ports) -> bool:
    """Whether files had to be dropped first; some at a time, as a transaction is bounded.

    Those that the batch overtakes, and those of it that are deleted by now.
    """
    events: list[BaseModel] = [*superseded(open_set.files, selection)]
    if not events:
        missed = ports.uploads.gone([pending.identity for pending in selection.files])
        events += [gone(pending) for pending in selection.files if pending.identity in missed]
    if events:
        _append(open_set, events[:IGNORED_PER_TRANSACTION], ports)
    return bool(events)


def _report_overdue(bucket: str, ports: Ports) -> list[BatchOverdue]:
    open_set = load(bucket, ports)
    events = overdue(
        open_set.files,
        products_known=open_set.products_known,
        now=ports.clock(),
        settle=ports.settle,
        limit=ports.overdue,
    )
    if events:
        _append(open_set, events, ports)
    return events


def _append(
    open_set: OpenSet,
    events: Sequence[BaseModel],
    ports: Ports,
    *writes: StateWrite,
    at: datetime | None = None,
) -> None:
    files, now = open_set.files, at or ports.clock()
    left_out = [
        PutItem(ports.table, read_model.left_out_row(event, now))
        for event in events
        if isinstance(event, FileIgnored | FileSuperseded | FileGone)
    ]
    stored = ports.store.append(
        StreamAppend(files.stream_id, files.version, events),
        context=MessageContext(SOURCE),
        writes=[*writes, *left_out],
    )
    ports.known_sets[files.bucket] = files.evolve(stored)


def _sealed_answer(row: read_model.Row) -> dict[str, Any]:
    names = ("batch_id", "bucket", "manifest", "file_count")
    return {"outcome": "SEALED"} | {name: row[name] for name in names}


def _nothing_pending(command: SealFileSet, rejected: Sequence[str], blocked: Sequence[str]) -> str:
    if blocked:
        what = command.file_key or f"what is pending in {command.bucket}"
        return f"{what} cannot be read yet; it waits for {'; '.join(blocked)}"
    if rejected:
        what = command.file_key or f"all that waits in {command.bucket}"
        return (
            f"{what} waits for corrected files of rejected batch {' and '.join(rejected)}: upload "
            f"those, or let it go without them: `ecp release {rejected[0]} --reason WHY`"
        )
    if command.file_key:
        return (
            f"{command.file_key} is not among the files that wait in {command.bucket}: it was "
            "processed before, is not an input, or has not come"
        )
    return f"no files wait in {command.bucket}; upload some, or see `ecp batches`"
