"""ReplayQuarantine: corrected rows are judged, brought in, and what became of them is said.

The rules are those of `ecp quarantine replay` (docs/decisions/0010, 0025); here is what the
command adds: it is taken twice with one effect, and waits for nobody.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from contracts.clock import Clock, to_rfc3339
from contracts.errors import PipelineError, Refused
from contracts.file_contracts import file_contract
from contracts.layout import replay_key
from contracts.messages import (
    CorrectedRow,
    ObjectRef,
    ObjectVersion,
    QuarantineCorrections,
    QuarantineReplay,
    ReplayedRow,
    ReplayQuarantine,
    RowToUpload,
)
from services.runtime.privacy.user_ids import USER_COLUMN
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import RowId
from services.runtime.storage.aws import error_code
from services.runtime.storage.documents import check_document
from services.runtime.storage.expired_documents import GONE
from services.validator.quarantine.corrected_rows import Checks
from services.validator.quarantine.replay_check import Verdict
from services.validator.quarantine.replay_decision import Stores, decide
from services.validator.quarantine.replay_links import links
from services.validator.quarantine.replay_plan import FixedRow
from services.validator.quarantine.replay_upload import ReplayFile, put_answers, write_files
from services.validator.quarantine.stored import running_batch

MOST_UPLOADS = 500
_QUOTED_USER = re.compile(rf"""{USER_COLUMN} (['"]).*\1 """, re.DOTALL)


class Uploads(Protocol):
    """Uploads by name, each once."""

    def sent(self, name: str) -> str | None:
        """The batch of an upload that was sent before; None when there is none."""

    def send(self, name: str, files: Sequence[ReplayFile], answers: ObjectRef) -> str:
        """Send an upload, unless it is there; the batch's id."""


class Versions(Protocol):
    """Object versions of the data bucket."""

    def delete(self, version: ObjectVersion) -> None:
        """Delete that version for good; that it is gone already is fine."""


@dataclass(frozen=True)
class Replaying:
    """What a replay is decided by and where it goes; `currency` as for the validator's checks."""

    stores: Stores
    uploads: Uploads
    versions: Versions
    clock: Clock
    currency: str | None = None

    def checks(self) -> Checks:
        """What rows are measured against today."""
        return Checks(self.clock().date(), self.currency)


def replay_quarantine(command: ReplayQuarantine, ports: Replaying) -> None:
    """Judge the rows, upload those that may come, and put the document that says so.

    What was asked holds users' ids, and is deleted then. Once it is, and the answer is there, the
    command does nothing. Raises Refused for corrections that nobody can read.
    """
    asked = _asked(command, ports)
    if asked is None:
        return
    document = _answer(command, asked, ports)
    said = document.model_dump(mode="json")
    check_document("QuarantineReplay", said)
    objects, bucket = ports.stores.objects, ports.stores.data_bucket
    objects.put_json(bucket, replay_key(command.replay_id), said)
    ref = command.corrections
    ports.versions.delete(
        ObjectVersion(key=ref.key, version_id=ref.version_id or "", is_current=True)
    )


def _asked(command: ReplayQuarantine, ports: Replaying) -> list[Correction] | None:
    """The corrected rows; None when they were answered before, and deleted."""
    try:
        document = ports.stores.objects.get_json(command.corrections)
    except PipelineError as error:
        if error_code(error) in GONE:
            return None
        raise
    check_document("QuarantineCorrections", document, closed=False)
    rows = QuarantineCorrections.model_validate(document).rows
    found = {one.row_id: one for one in map(_correction, rows)}
    if len(found) < len(rows):
        raise Refused(f"{command.replay_id}: a row is there twice")
    return list(found.values())


def _correction(row: CorrectedRow) -> Correction:
    columns = file_contract(row.kind).columns
    if strange := sorted(set(row.fields) - set(columns)):
        raise Refused(f"{row.key} line {row.line}: {row.kind} have no column {strange[0]!r}")
    return Correction(
        row.kind,
        RowId(row.batch_id, row.key, row.version_id, row.line),
        tuple(row.fields.get(column, "") for column in columns),
        f"{row.key} line {row.line}",
    )


def _answer(
    command: ReplayQuarantine, asked: Sequence[Correction], ports: Replaying
) -> QuarantineReplay:
    name = command.replay_id
    sent = None if command.dry_run else ports.uploads.sent(name)
    waits_for = None
    if not command.dry_run and sent is None:
        # It may restate what is to be replayed; who asks comes again when it has ended.
        waits_for = running_batch(ports.stores.dynamodb, ports.stores.state_table)
    decision = decide(ports.stores, asked, ports.checks())
    with TemporaryDirectory(prefix="replay-") as folder:
        files = write_files(decision.plans, Path(folder), name, ports.checks())
        if files and not command.dry_run and waits_for is None and sent is None:
            linked = links([row for file in files for row in file.rows])
            ref = put_answers(ports.stores.objects, ports.stores.data_bucket, name, linked)
            sent = ports.uploads.send(name, files, ref)
    uploads = [_row_to_upload(file, n) for file in files for n in range(len(file.rows))]
    return QuarantineReplay(
        replay_id=command.replay_id,
        dry_run=command.dry_run,
        requested_by=command.requested_by,
        answered_at=to_rfc3339(ports.clock()),
        outcome=_outcome(command, sent, waits_for, has_files=bool(files)),
        batch_id=sent,
        waits_for=waits_for if files else None,
        rows=[_replayed(verdict) for verdict in decision.verdicts],
        uploads=uploads[:MOST_UPLOADS],
        uploads_left_out=max(len(uploads) - MOST_UPLOADS, 0),
    )


def _outcome(
    command: ReplayQuarantine, sent: str | None, waits_for: str | None, *, has_files: bool
) -> str:
    if sent is not None:
        return "uploaded"
    if not has_files:
        return "nothing"
    return "would_upload" if command.dry_run else "waits" if waits_for else "nothing"


def _replayed(verdict: Verdict) -> ReplayedRow:
    correction = verdict.correction
    return ReplayedRow(
        **correction.row_id._asdict(),
        kind=correction.kind,
        verdict=verdict.state,
        changed=list(verdict.changed),
        message=_without_user(verdict.message),
    )


def _row_to_upload(file: ReplayFile, position: int) -> RowToUpload:
    row = file.rows[position].row
    fields = _fields(file.kind, row.fields)
    return RowToUpload(
        kind=file.kind,
        key=file.key,
        fields={name: text for name, text in fields.items() if text and name != USER_COLUMN},
        corrects=isinstance(row.stands_for, FixedRow),
    )


def _fields(kind: str, fields: Sequence[str]) -> dict[str, str]:
    return dict(zip(file_contract(kind).columns, fields, strict=False))


def _without_user(message: str | None) -> str | None:
    """The document is kept for days, and no erasure looks for users in it."""
    return None if message is None else _QUOTED_USER.sub(f"{USER_COLUMN} ", message)
