"""Validating one file of a batch: gather, decide, apply, each step safe to repeat.

How rows are judged is in `file_check.py`, what becomes of the file in `domain.py`. Nothing is
uploaded before the whole file is read and its rows add up; the event comes last.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from contracts.clock import Clock
from contracts.envelope import Message, MessageContext
from contracts.errors import PipelineError, StaleWriter, VersionGone
from contracts.file_contracts import FileContract, file_contract
from contracts.layout import (
    FILE_GONE,
    KINDS,
    file_report_key,
    quarantined_file_key,
    quarantined_rows_key,
    source_of,
    staged_key,
)
from contracts.messages import (
    BatchManifest,
    FileReport,
    ManifestFile,
    ObjectRef,
    ValidateFile,
)
from contracts.sources.faults import InvalidSource
from contracts.sources.model import Kind
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.event_store import EventStore, StreamAppend, retry_on_conflict
from services.runtime.observability.logs import logger
from services.runtime.storage.documents import ObjectStore, check_document
from services.validator.domain import (
    FileConcluded,
    FileHistory,
    Written,
    answer,
    conclusion,
    file_of,
    keeps_rows,
    reconcile,
    reconcile_kinds,
    report_of,
    stream_of,
)
from services.validator.ports import Inputs, Outputs
from services.validator.pseudonyms import Pseudonyms
from services.validator.reading.file_check import check_file
from services.validator.reading.file_text import ByteStream
from services.validator.reading.line_blocks import BLOCK_BYTES
from services.validator.reading.quarantined_rows import QuarantinedRows
from services.validator.reading.source_check import check_by_source
from services.validator.reading.verdict import FileCheck
from services.validator.row_files import (
    QUARANTINE_SCHEMA,
    RowFile,
    described,
    described_by,
    quarantine_table,
)
from services.validator.sources.pinned import pinned_lookups, pinned_source
from services.validator.staged_kinds import WITH_USERS, StagedKinds

SOURCE = "ecommerce-pipeline/validator"
_ADD_IT_AGAIN = "put that right (`ecp sources add`, or the lookup), then upload the file again"


@dataclass(frozen=True)
class Ports:
    """All that the validator talks to, and its settings.

    `max_rejected_fraction` is 0 to 1; `currency` (ISO 4217) the one that all amounts are in, None
    where each file may have its own.
    """

    store: EventStore
    documents: ObjectStore
    inputs: Inputs
    outputs: Outputs
    clock: Clock
    pseudonyms: Callable[[], Pseudonyms]
    max_rejected_fraction: float = 0.2
    currency: str | None = None
    block_bytes: int = BLOCK_BYTES


def validate_file(message: Message, ports: Ports) -> dict[str, Any]:
    """Check one file, stage its good rows, quarantine the bad ones, and say how it ended.

    Answers `{outcome: VALIDATED | REJECTED, file_index}`; a command that comes again is answered
    from the stream, and a file with equal content to an earlier one of the batch needs no work. A
    version that somebody has deleted is REJECTED by the rule `file.gone`: nothing of it was read.
    One that was read and found good under an earlier grant stays so: it is gone because the batch
    was published and archived, or its rows stand here all the same.
    Raises StaleWriter for a command of an earlier lock grant, Transient when S3 fails on the way
    and PipelineError when the rows do not add up; nothing is staged then.
    """
    command: ValidateFile = message.data
    # An attempt may have died with its own objects on top: it comes again, too late or not.
    try:
        known = _history(command, ports).answer_to(command)
    except StaleWriter:
        _see_what_stands(command, ports)
        raise
    if known is not None:
        _see_what_stands(command, ports)
    else:
        manifest = _manifest(command, ports)
        file = file_of(manifest, command)
        if file.duplicate_of is None:
            job = _Job(command, manifest.bucket, file)
            try:
                known = _validate(message, job, ports)
            except VersionGone as error:
                known = _conclude_as_before(message, ports)
                known = known or _conclude_gone(message, job, error, ports)
    return answer(command.file_index, known)


def _history(command: ValidateFile, ports: Ports) -> FileHistory:
    stream = stream_of(command.batch_id, command.file_index)
    return FileHistory.replay(ports.store.read(stream))


def _manifest(command: ValidateFile, ports: Ports) -> BatchManifest:
    document = ports.documents.get_json(command.manifest)
    check_document("BatchManifest", document, closed=False)
    return BatchManifest.model_validate(document)


@dataclass(frozen=True)
class _Job:
    """One file to validate, and for whom."""

    command: ValidateFile
    bucket: str
    file: ManifestFile

    @property
    def contract(self) -> FileContract:
        """Of a plain file."""
        return file_contract(self.file.kind)

    @property
    def label(self) -> str:
        """What rows are held to: a contract, or a source."""
        source = self.file.source
        return f"{source.name} v{source.version}" if source else self.contract.label

    @property
    def kinds(self) -> Sequence[Kind]:
        """What the file may give."""
        return self.file.source.gives if self.file.source else [self.file.kind]


class Concluded(NamedTuple):
    """How many conclusions the file has, and the one that answers a command."""

    version: int
    latest: FileConcluded


def _validate(message: Message, job: _Job, ports: Ports) -> FileConcluded:
    """The conclusion of this command, or that of another one that was faster."""
    command, key = job.command, job.file.key
    pseudonyms = ports.pseudonyms() if WITH_USERS in job.kinds else None
    with (
        TemporaryDirectory(prefix="validate-") as folder,
        StagedKinds(
            Path(folder), job.kinds, pseudonyms, by_source=job.file.source is not None
        ) as staged,
        RowFile(Path(folder, "quarantined.parquet"), QUARANTINE_SCHEMA) as quarantined,
    ):
        check = _check(job, staged, quarantined, ports)
        rows_staged, bad_rows = staged.finish(check), quarantined.finish()
        if job.file.source is None:
            reconcile(key, check, rows_staged[job.file.kind], bad_rows)
        else:
            reconcile_kinds(key, check, rows_staged, bad_rows)
        known = _history(command, ports).answer_to(command)
        if known is not None:
            return known

        def written_report() -> FileReport:
            written = _write(job, check, staged, quarantined.path, ports)
            made_by = pseudonyms.check if pseudonyms and WITH_USERS in written.staged else None
            report = report_of(command, job.file, job.label, check, written, made_by)
            status, rows = report.status, check.rows_in
            logger.info("file checked", key=key, status=status, rule=check.rule, rows=rows)
            return report

        return _conclude(message, written_report, job.bucket, ports)


def _conclude_as_before(message: Message, ports: Ports) -> FileConcluded | None:
    """What an earlier attempt found, for this one too; None when it found nothing good."""
    before = _history(message.data, ports).validated_before(message.data)
    if before is None:
        return None
    logger.info("file is gone, and stands as it was read before", key=before.key)
    standing = retry_on_conflict(lambda: _record(message, before, ports))
    _see_what_stands(message.data, ports)
    return standing.latest


def _conclude_gone(message: Message, job: _Job, error: VersionGone, ports: Ports) -> FileConcluded:
    """Nothing of the file stands, also not from an earlier attempt, and the event says so."""
    check = FileCheck(rule=FILE_GONE, reason=f"{error}; upload it again if it is wanted")
    batch_id, file = job.command.batch_id, job.file

    def report_of_nothing() -> FileReport:
        for key in _keys(batch_id, file.index, job.kinds, file.key):
            ports.outputs.remove(job.bucket, key)
        return report_of(job.command, file, job.label, check, Written())

    logger.info("file is gone", key=file.key)
    return _conclude(message, report_of_nothing, job.bucket, ports)


def _keys(batch_id: str, file_index: int, kinds: Sequence[str], key: str) -> tuple[str, ...]:
    """Where a file's objects stand: bad rows, the file itself, staged rows of each kind."""
    return (
        quarantined_rows_key(batch_id, file_index),
        quarantined_file_key(batch_id, key),
        *(staged_key(batch_id, kind, file_index) for kind in kinds),
    )


def _check(job: _Job, staged: StagedKinds, quarantined: RowFile, ports: Ports) -> FileCheck:
    """Read the pinned version through the checks into the local files."""
    batch_id, file = job.command.batch_id, job.file

    def quarantine(rows: QuarantinedRows) -> None:
        quarantined.write(quarantine_table(rows, batch_id, file, job.label))

    given: dict[str, Any] = {
        "name": file.key,
        "today": ports.clock().astimezone(UTC).date(),
        "max_rejected_fraction": ports.max_rejected_fraction,
        "on_quarantined": quarantine,
        "currency": ports.currency,
        "block_bytes": ports.block_bytes,
    }

    def opened() -> AbstractContextManager[ByteStream]:
        return ports.inputs.open(job.bucket, file)

    if file.source is None:
        on_accepted = staged.writer(file.kind)
        check = check_file(opened, job.contract, on_accepted=on_accepted, **given)
        quarantined.describe(**described(check.header))
        return check
    try:
        source = pinned_source(file.source, ports.inputs)
        lookups = pinned_lookups(file, source, ports.inputs)
    except BadFile as bad:
        return FileCheck(bad.rule, bad.reason)
    except InvalidSource as error:
        return FileCheck("file.source", f"{error}; {_ADD_IT_AGAIN}")
    except VersionGone as gone:
        if _history(job.command, ports).validated_before(job.command) is not None:
            raise  # what was found before stands
        # The file itself is there: it is rejected, as its rows must not be given up.
        return FileCheck("file.source", f"{gone}; {_ADD_IT_AGAIN}")
    check = check_by_source(opened, source, on_accepted=staged.write, lookups=lookups, **given)
    quarantined.describe(**described_by(source, check))
    return check


def _write(
    job: _Job, check: FileCheck, staged: StagedKinds, quarantined: Path, ports: Ports
) -> Written:
    """Make the objects stand that this outcome has, and no others: a redrive may end otherwise."""
    batch_id, file, bucket = job.command.batch_id, job.file, job.bucket
    has_bad_rows = keeps_rows(check) and check.quarantined > 0
    kept = _see_the_file_kept(job, check, ports)
    bad_rows_key = quarantined_rows_key(batch_id, file.index)
    bad_rows = _see_that_only(quarantined if has_bad_rows else None, bucket, bad_rows_key, ports)
    refs = {
        kind: _see_that_only(path, bucket, staged_key(batch_id, kind, file.index), ports)
        for kind, path in staged.paths(check).items()
    }
    return Written(
        staged={kind: ref for kind, ref in refs.items() if ref},
        quarantined_rows=bad_rows,
        quarantined_file=kept,
    )


def _see_the_file_kept(job: _Job, check: FileCheck, ports: Ports) -> ObjectRef | None:
    """A rejected file stands in quarantine byte for byte, any other does not."""
    key = quarantined_file_key(job.command.batch_id, job.file.key)
    if check.is_rejected:
        return ports.outputs.copy(job.bucket, job.file, key)
    ports.outputs.remove(job.bucket, key)
    return None


def _see_that_only(path: Path | None, bucket: str, key: str, ports: Ports) -> ObjectRef | None:
    """The local file stands under the key, or nothing does when there is none."""
    if path is not None:
        return ports.outputs.put(path, bucket, key)
    ports.outputs.remove(bucket, key)
    return None


def _conclude(
    message: Message, written: Callable[[], FileReport], bucket: str, ports: Ports
) -> FileConcluded:
    """The objects and the report, then the event that pins them; the conclusion that stands.

    All attempts write under the same keys, of which others read the newest version. Whoever comes
    too late, or fails on the way, puts back what belongs to the conclusion that stands; and who
    follows another conclusion looks once more whether that one's owner did so meanwhile.
    """
    try:
        report = written()
        mine = conclusion(message.data, report, _put_report(report, bucket, ports))
        standing = retry_on_conflict(lambda: _record(message, mine, ports))
    except PipelineError:
        _see_what_stands(message.data, ports)
        raise
    if standing.latest is not mine or standing.version > 1:
        _see_what_stands(message.data, ports)
    return standing.latest


def _see_what_stands(command: ValidateFile, ports: Ports) -> None:
    """See that under each key of the file stands what belongs to its latest conclusion.

    Another one may be recorded while this is done: then it is done again, for that one.
    """
    standing = _history(command, ports).latest
    while standing is not None:
        _put_back(standing, ports)
        before, standing = standing, _history(command, ports).latest
        if standing == before:
            return


def _put_back(standing: FileConcluded, ports: Ports) -> None:
    """The report of a conclusion, the objects that it names, and no others."""
    document = ports.documents.get_json(standing.report)
    check_document("FileReport", document, closed=False)
    report = FileReport.model_validate(document)
    ports.outputs.restore(standing.report)
    staged: dict[str, ObjectRef | None] = {kind.kind: kind.staged for kind in report.kinds}
    staged = staged or {report.kind: report.staged}
    kinds = KINDS if source_of(report.key) else (report.kind,)
    refs = (report.quarantined_rows, report.quarantined_file, *(staged.get(kind) for kind in kinds))
    keys = _keys(report.batch_id, report.file_index, kinds, report.key)
    for key, written in zip(keys, refs, strict=True):
        if written is None:
            ports.outputs.remove(standing.report.bucket, key)
            continue
        try:
            ports.outputs.restore(written)
        except VersionGone as gone:
            # An erasure has rewritten it: what is there now stands.
            logger.info("not put back", key=key, why=str(gone))


def _put_report(report: FileReport, bucket: str, ports: Ports) -> ObjectRef:
    document = report.model_dump(mode="json")
    check_document("FileReport", document)
    key = file_report_key(report.batch_id, report.file_index)
    return ports.documents.put_json(bucket, key, document)


def _record(message: Message, concluded: FileConcluded, ports: Ports) -> Concluded:
    """Append the conclusion, unless another one answers the command; how the stream stands then."""
    command: ValidateFile = message.data
    history = _history(command, ports)
    known = history.answer_to(command)
    if known is not None:
        return Concluded(history.version, known)
    stream = stream_of(command.batch_id, command.file_index)
    context = MessageContext(SOURCE, command.batch_id, message.event_id)
    ports.store.append(StreamAppend(stream, history.version, [concluded]), context=context)
    return Concluded(history.version + 1, concluded)
