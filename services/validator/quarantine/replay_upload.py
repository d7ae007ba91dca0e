"""What a replay uploads: a file per kind, each row linked to what it stands for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import PipelineError
from contracts.layout import replay_answers_key, replay_input_key
from contracts.messages import ObjectRef, ReplayAnswers
from services.runtime.storage.documents import ObjectStore, check_document
from services.validator.quarantine.corrected_rows import Checks, bad_rows, write_rows
from services.validator.quarantine.replay_links import UploadedRow
from services.validator.quarantine.replay_plan import Plan


@dataclass(frozen=True)
class ReplayFile:
    """A local file, the key that it gets, and its rows with their lines."""

    path: Path
    kind: str
    key: str
    rows: tuple[UploadedRow, ...]


def write_files(plans: Sequence[Plan], folder: Path, name: str, checks: Checks) -> list[ReplayFile]:
    """The planned rows, one file per kind that has some.

    They are checked once more as they go out; raises PipelineError if a row is bad.
    """
    found = []
    for one in plans:
        if not one.rows:
            continue
        key, path = replay_input_key(one.kind, name), Path(folder, f"{one.kind}.csv")
        starts = write_rows(path, one.kind, [row.fields for row in one.rows])
        bad = bad_rows(path, one.kind, key, checks)
        if bad:
            raise PipelineError(f"nothing was uploaded: {bad[0].message}")
        rows = zip(one.rows, starts, strict=True)
        uploaded = tuple(UploadedRow(row, key, line) for row, line in rows)
        found.append(ReplayFile(path, one.kind, key, uploaded))
    return found


def put_answers(objects: ObjectStore, bucket: str, name: str, linked: ReplayAnswers) -> ObjectRef:
    """Before the upload, so that whoever sees the batch sees what it answers."""
    document = linked.model_dump(mode="json")
    check_document("ReplayAnswers", document)
    return objects.put_json(bucket, replay_answers_key(name), document)
