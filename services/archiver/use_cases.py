"""Moving the inputs of a published batch: copy all, verify all, and only then delete.

What is moved where, and when a copy counts as the same, is decided in `domain.py`. Every step can
be repeated: a run that was cut short is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from contracts.envelope import Message, MessageContext
from contracts.errors import ContractViolation, PipelineError
from contracts.messages import ArchiveBatch, BatchArchived, BatchManifest, ObjectRef
from services.archiver.domain import (
    AuditCopy,
    Move,
    Pinned,
    Stored,
    archived,
    audit_copies,
    batch_archived,
    judge,
    moves,
    provenance,
    was_copied_from,
)
from services.archiver.ports import Objects
from services.runtime.event_store import EventStore, StreamAppend, retry_on_conflict
from services.runtime.messaging.task_callbacks import TaskCallbacks
from services.runtime.observability.logs import logger
from services.runtime.storage.documents import ObjectStore, check_document

SOURCE = "ecommerce-pipeline/archiver"
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ports:
    """All that the archiver talks to, and how it works: threads, seconds between heartbeats."""

    store: EventStore
    documents: ObjectStore
    objects: Objects
    answers: TaskCallbacks
    archive_bucket: str
    threads: int = 16
    heartbeat_seconds: float = 20.0


def archive_batch(message: Message, ports: Ports) -> dict[str, Any]:
    """Move every input of the batch to the archive and keep its audit documents beside it.

    Answers `{outcome: ARCHIVED, file_count}`; a batch that was archived before is answered from
    its stream. An input that somebody has deleted is recorded as gone: its rows are published, so
    nothing waits for its bytes. Raises PipelineError naming the file when a copy is not its
    source, or an audit document is missing; nothing is deleted then.
    """
    command: ArchiveBatch = message.data
    stream = f"archive/{command.batch_id}"
    known = archived(ports.store.read(stream))
    if known is None:
        manifest = _manifest(command, ports)
        gone = _move(command, manifest, message.task_token, ports)
        known = retry_on_conflict(lambda: _record(command, manifest, gone, message, stream, ports))
    return {"outcome": "ARCHIVED", "file_count": known.file_count}


def _manifest(command: ArchiveBatch, ports: Ports) -> BatchManifest:
    document = ports.documents.get_json(command.manifest)
    check_document("BatchManifest", document, closed=False)
    manifest = BatchManifest.model_validate(document)
    if manifest.batch_id != command.batch_id:
        raise ContractViolation(
            f"s3://{command.manifest.bucket}/{command.manifest.key} is the manifest of batch "
            f"{manifest.batch_id}, not of {command.batch_id}"
        )
    return manifest


def _difference(command: ArchiveBatch, ports: Ports) -> ObjectRef | None:
    """What the batch changed, as its result names it; one of before such were kept has none."""
    document = ports.documents.get_json(command.result)
    named = document.get("difference")
    return named and ObjectRef.model_validate(named)


def _move(
    command: ArchiveBatch, manifest: BatchManifest, token: str | None, ports: Ports
) -> list[str]:
    """Move what is there; the keys of inputs that are gone."""

    def beat() -> None:
        if token is not None and not ports.answers.heartbeat(token):
            logger.warning("nobody waits for the archiving of this batch; it is finished anyway")

    planned = moves(manifest)
    copied = _side_by_side(lambda move: (move, _copy_input(move, ports)), planned, ports, beat)
    audit_documents = audit_copies(command, manifest, _difference(command, ports))
    _side_by_side(
        lambda document: _keep_audit_document(document, ports), audit_documents, ports, beat
    )
    kept = [move for move, is_kept in copied if is_kept]
    _side_by_side(lambda move: _delete_input(move, ports), kept, ports, beat)
    gone = [move.source.key for move, is_kept in copied if not is_kept]
    if gone:
        logger.warning("inputs were deleted before they could be archived", keys=gone)
    return gone


def _record(
    command: ArchiveBatch,
    manifest: BatchManifest,
    gone: Collection[str],
    message: Message,
    stream: str,
    ports: Ports,
) -> BatchArchived:
    recorded = ports.store.read(stream)
    known = archived(recorded)
    if known is not None:
        return known
    event = batch_archived(command, manifest, gone)
    context = MessageContext(SOURCE, command.batch_id, message.event_id)
    ports.store.append(StreamAppend(stream, len(recorded), [event]), context=context)
    return event


def _keep_audit_document(document: AuditCopy, ports: Ports) -> None:
    """Pin the version that the document names, or the one that stands, and copy that."""
    found = ports.objects.head(document.bucket, document.key, document.version_id)
    if found is None:
        raise PipelineError(
            f"s3://{document.bucket}/{document.key} is not there or forbidden; the archive would "
            "be incomplete without it: restore it and try again"
        )
    pinned = Pinned(
        bucket=document.bucket,
        key=document.key,
        version_id=found.version_id,
        size_bytes=found.size_bytes,
        etag=found.etag,
        sha256=document.sha256,
    )
    _see_archived(Move(pinned, document.archive_key), found, ports)


def _copy_input(move: Move, ports: Ports) -> bool:
    """See the input in the archive; False when it is gone, and nothing stands there for it."""
    source = move.source
    standing = ports.objects.head(source.bucket, source.key, source.version_id)
    if standing is None and ports.objects.head(ports.archive_bucket, move.archive_key) is None:
        return False
    _see_archived(move, standing, ports)
    return True


def _see_archived(move: Move, standing: Stored | None, ports: Ports) -> None:
    """The archive holds exactly the source's bytes afterwards; copied only if it did not before.

    `standing` is what a HEAD says of the source, None when it is gone.
    """
    source = move.source
    if _is_archived(move, standing, ports):
        return
    if standing is None:
        raise PipelineError(
            f"s3://{source.bucket}/{source.key} version {source.version_id} is gone, "
            f"and there is no verified copy at s3://{ports.archive_bucket}/"
            f"{move.archive_key}: get it from its sender again"
        )
    ports.objects.copy(
        (source.bucket, source.key, source.version_id),
        ports.archive_bucket,
        move.archive_key,
        standing,
        provenance(source),
    )
    if not _is_archived(move, standing, ports):
        raise PipelineError(
            f"s3://{ports.archive_bucket}/{move.archive_key} is not what was copied from "
            f"s3://{source.bucket}/{source.key} version {source.version_id}; "
            "the source was not deleted: try again"
        )


def _is_archived(move: Move, standing: Stored | None, ports: Ports) -> bool:
    source = move.source
    copy = ports.objects.head(ports.archive_bucket, move.archive_key)
    if copy is None:
        return False
    verdict = judge(source, copy)
    if verdict != "COMPARE_BYTES":
        return verdict == "SAME"
    if source.sha256 is None and standing is None:
        return was_copied_from(source, copy)
    expected = source.sha256 or ports.objects.sha256(source.bucket, source.key, source.version_id)
    actual = ports.objects.sha256(ports.archive_bucket, move.archive_key, copy.version_id)
    return actual == expected


def _delete_input(move: Move, ports: Ports) -> None:
    source = move.source
    ports.objects.delete(source.bucket, source.key, source.version_id)


def _side_by_side(
    work: Callable[[T], R], items: Iterable[T], ports: Ports, beat: Callable[[], None]
) -> list[R]:
    """The results of the work on all items, in no order; the first fault stops the rest."""
    results: list[R] = []
    with ThreadPoolExecutor(ports.threads) as pool:
        pending = {pool.submit(work, item) for item in items}
        while pending:
            done, pending = wait(
                pending, timeout=ports.heartbeat_seconds, return_when=FIRST_EXCEPTION
            )
            failed = [future for future in done if future.exception() is not None]
            if failed:
                pool.shutdown(wait=True, cancel_futures=True)
                failed[0].result()
            results += [future.result() for future in done]
            if pending:
                beat()
    return results
