"""What becomes of a checked file, and whether an earlier result still answers: pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from contracts.errors import ContractViolation, PipelineError, StaleWriter
from contracts.messages import (
    BatchManifest,
    FileRejected,
    FileReport,
    FileValidated,
    KindReport,
    ManifestFile,
    ObjectRef,
    ValidateFile,
)
from contracts.sources.model import Kind
from services.runtime.fences import admit, is_never_granted
from services.validator.reading.verdict import TOO_MANY_BAD_ROWS, FileCheck, KindCheck

FileConcluded: TypeAlias = FileValidated | FileRejected


class Recorded(Protocol):
    """What replay needs of a stored message."""

    @property
    def data(self) -> object: ...
    @property
    def stream_version(self) -> int: ...


@dataclass(frozen=True)
class FileHistory:
    """What the stream validation/<batch_id>/<file_index> says: the latest conclusion, if any."""

    version: int = 0
    latest: FileConcluded | None = None

    @staticmethod
    def replay(recorded: Iterable[Recorded]) -> FileHistory:
        """Fold the stream."""
        history = FileHistory()
        for message in recorded:
            if not isinstance(message.data, FileValidated | FileRejected):
                raise TypeError(f"{type(message.data).__name__} is no event of this stream")
            history = FileHistory(message.stream_version, message.data)
        return history

    def answer_to(self, command: ValidateFile) -> FileConcluded | None:
        """The conclusion that answers this command, None when the file is to be validated.

        One execution holds the lock under one fence, so an equal fence is a retry or a second
        delivery: the first conclusion stands. A higher fence is a redrive. Raises StaleWriter
        when a holder of a newer lock grant was here, and Refused for a fence that no grant can
        have; a conclusion that stands under such a one says nothing.
        """
        if self.latest is None or is_never_granted(self.latest.fence, beside=command.fence):
            return None
        if self.latest.fence < command.fence:
            admit(command.fence, self.latest.fence)
            return None
        if self.latest.fence > command.fence:
            raise StaleWriter(
                f"file {command.file_index} of batch {command.batch_id} was validated under lock "
                f"fence {self.latest.fence}; {command.fence} is stale: acquire the lock again",
                seen_fence=self.latest.fence,
            )
        return self.latest

    def validated_before(self, command: ValidateFile) -> FileValidated | None:
        """The good end of an earlier grant, as this command's; None for a bad one or none.

        The version is pinned, so reading it again would find the same.
        """
        if not isinstance(self.latest, FileValidated) or self.latest.fence > command.fence:
            return None
        return self.latest.model_copy(update={"fence": command.fence, "attempt": command.attempt})


@dataclass(frozen=True)
class Written:
    """The objects that a check left behind, staged rows by kind; None for what it has not."""

    staged: Mapping[str, ObjectRef] = field(default_factory=dict)
    quarantined_rows: ObjectRef | None = None
    quarantined_file: ObjectRef | None = None


def stream_of(batch_id: str, file_index: int) -> str:
    """The stream of one file of a batch."""
    return f"validation/{batch_id}/{file_index}"


def file_of(manifest: BatchManifest, command: ValidateFile) -> ManifestFile:
    """The file that the command is about; raises ContractViolation when the manifest has none."""
    if manifest.batch_id != command.batch_id:
        raise ContractViolation(
            f"s3://{command.manifest.bucket}/{command.manifest.key} is the manifest of batch "
            f"{manifest.batch_id}, not of {command.batch_id}"
        )
    for file in manifest.files:
        if file.index == command.file_index:
            return file
    raise ContractViolation(
        f"batch {command.batch_id} has {len(manifest.files)} files, none with index "
        f"{command.file_index}"
    )


def keeps_rows(check: FileCheck) -> bool:
    """Whether the bad rows go to quarantine: an unreadable file is kept whole and that is all."""
    return check.rule in (None, TOO_MANY_BAD_ROWS)


def reconcile(name: str, check: FileCheck, rows_staged: int, rows_quarantined: int) -> None:
    """Raise PipelineError unless the rows in the written Parquet files are the rows of the file.

    `rows_staged` are those that stand. A file that was rejected because of its bad rows must add
    up as well, though its good rows are thrown away; one that could not be read to its end has no
    count to hold against.
    """
    if not keeps_rows(check):
        return
    removed = check.removed.count if check.removed else 0
    balances = (rows_staged, rows_quarantined) == (check.read - removed, check.bad)
    if not check.is_rejected:
        balances = balances and (rows_staged, rows_quarantined) == (
            check.accepted,
            check.quarantined,
        )
        out = check.accepted + check.quarantined + check.duplicates
        balances = balances and check.rows_in == out
    if not balances:
        raise PipelineError(
            f"{name} does not add up: {check.rows_in} rows in, {check.accepted} accepted, "
            f"{check.quarantined} quarantined, {check.duplicates} duplicates, but {rows_staged} "
            f"rows were written for staging and {rows_quarantined} for quarantine; nothing was "
            "staged, please report this file"
        )


def reconcile_kinds(
    name: str, check: FileCheck, rows_staged: Mapping[Kind, int], rows_quarantined: int
) -> None:
    """The same for a file that is read by a source: of the file, and of each kind that it gives."""
    if check.is_rejected:
        if keeps_rows(check) and rows_quarantined != check.bad:
            raise _not_balanced(name, check, rows_staged, rows_quarantined)
        return
    balances = check.rows_in == _sum_of(check) and rows_quarantined == check.quarantined
    for kind in check.kinds:
        balances = balances and kind.rows_in == _sum_of(kind)
        removed = kind.removed.count if kind.removed else 0
        balances = balances and rows_staged[kind.kind] == kind.accepted == kind.read - removed
    if not balances:
        raise _not_balanced(name, check, rows_staged, rows_quarantined)


def _sum_of(found: FileCheck | KindCheck) -> int:
    return found.accepted + found.quarantined + found.duplicates + sum(found.left_out.values())


def _not_balanced(
    name: str, check: FileCheck, rows_staged: Mapping[Kind, int], rows_quarantined: int
) -> PipelineError:
    kinds = "; ".join(
        f"{kind.kind} {kind.rows_in} in, {kind.accepted} accepted, {kind.quarantined} quarantined, "
        f"{kind.duplicates} duplicates, {sum(kind.left_out.values())} left out"
        for kind in check.kinds
    )
    return PipelineError(
        f"{name} does not add up: {check.rows_in} rows in ({kinds}), but {dict(rows_staged)} rows "
        f"were written for staging and {rows_quarantined} for quarantine; nothing was staged, "
        "please report this file"
    )


def report_of(
    command: ValidateFile,
    file: ManifestFile,
    label: str,
    check: FileCheck,
    written: Written,
    pseudonym_check: str | None = None,
) -> FileReport:
    """What people and later steps may read about the file; rows_in = accepted + quarantined
    + duplicates + left_out, also of each kind that a source's file gives.

    `label` is the contract or the source that it was read by. `pseudonym_check` says which keys
    made the staged user ids, None where no row is staged or none names a user.
    """
    return FileReport(
        batch_id=command.batch_id,
        file_index=file.index,
        key=file.key,
        version_id=file.version_id,
        kind=file.kind,
        status="rejected" if check.is_rejected else "accepted",
        rule=check.rule,
        reason=check.reason,
        rows_in=check.rows_in,
        accepted=check.accepted,
        quarantined=check.quarantined,
        duplicates=check.duplicates,
        guests=check.guests,
        currency=check.currency,
        unknown_columns=list(check.unknown_columns),
        contract=label,
        staged=written.staged.get(file.kind) if file.source is None else None,
        quarantined_rows=written.quarantined_rows,
        quarantined_file=written.quarantined_file,
        pseudonym_check=pseudonym_check,
        left_out=dict(check.left_out),
        kinds=[
            KindReport(
                kind=kind.kind,
                rows_in=kind.rows_in,
                accepted=kind.accepted,
                quarantined=kind.quarantined,
                duplicates=kind.duplicates,
                left_out=dict(kind.left_out),
                staged=written.staged.get(kind.kind),
            )
            for kind in check.kinds
        ],
        whole_orders=check.whole_orders,
    )


def conclusion(command: ValidateFile, report: FileReport, ref: ObjectRef) -> FileConcluded:
    """The event that says how it ended; `ref` is the report's pinned reference."""
    common: dict[str, Any] = {
        "batch_id": command.batch_id,
        "file_index": command.file_index,
        "key": report.key,
        "kind": report.kind,
        "report": ref,
        "attempt": command.attempt,
        "fence": command.fence,
    }
    if report.status == "rejected":
        return FileRejected(**common, rule=report.rule, reason=report.reason)
    return FileValidated(
        **common,
        rows_in=report.rows_in,
        accepted=report.accepted,
        quarantined=report.quarantined,
        duplicates=report.duplicates,
        guests=report.guests,
        unknown_columns=report.unknown_columns,
    )


def answer(file_index: int, concluded: FileConcluded | None) -> dict[str, Any]:
    """The answer to the saga. A repeated file concludes nothing: its original decides for both."""
    outcome = "REJECTED" if isinstance(concluded, FileRejected) else "VALIDATED"
    return {"outcome": outcome, "file_index": file_index}
