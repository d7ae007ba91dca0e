"""A validator that believes what a file says of itself; its rules are tested elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict
from contracts.layout import FILE_GONE, file_report_key, staged_key
from contracts.messages import (
    BatchManifest,
    FileRejected,
    FileReport,
    FileValidated,
    ObjectRef,
    ValidateFile,
)
from services.runtime.event_store import StreamAppend
from tests.simulation.stores import Documents, FaultyStore

if TYPE_CHECKING:
    from tests.simulation.world import World

SOURCE = "ecommerce-pipeline/validator"


def validate_file(message: Message, world: World) -> dict[str, Any]:
    """Stage the rows, put the report, then the event; a file that was concluded is answered."""
    command: ValidateFile = message.data
    store, documents = FaultyStore(world, "validator"), Documents(world, "validator")
    stream = f"validation/{command.batch_id}/{command.file_index}"
    known = store.read(stream)
    if known:
        _put_back(known[0].data.report, documents)
        return _answer(command, known[0].data)
    manifest = BatchManifest.model_validate(documents.get_json(command.manifest))
    file = manifest.files[command.file_index]
    if file.duplicate_of is not None:
        return _answer(command, None)
    found = world.buckets.find(manifest.bucket, file.key, file.version_id)
    content = json.loads(found.content) if found else {"rows": [], "is_bad": True}
    common: dict[str, Any] = {
        "batch_id": command.batch_id,
        "file_index": command.file_index,
        "key": file.key,
        "kind": file.kind,
    }
    rows = len(content["rows"])
    counts = {"rows_in": rows, "unknown_columns": [], "quarantined": 0, "accepted": rows}
    staged = None
    verdict: dict[str, Any] = {"status": "accepted"}
    if content["is_bad"]:
        counts |= {"accepted": 0, "quarantined": rows}
        verdict = {"status": "rejected", "rule": "file.header", "reason": "it has no header"}
        if found is None:
            verdict |= {"rule": FILE_GONE, "reason": "somebody has deleted it"}
    else:
        key = staged_key(command.batch_id, file.kind, file.index)
        staged = documents.put_json(manifest.bucket, key, content["rows"])
    report = FileReport(
        **common,
        **counts,
        **verdict,
        version_id=file.version_id,
        contract=f"{file.kind} v1",
        staged=staged,
    )
    key = file_report_key(command.batch_id, file.index)
    ref = documents.put_json(manifest.bucket, key, report.model_dump(mode="json"))
    common |= {"report": ref, "attempt": command.attempt, "fence": command.fence}
    event = (
        FileRejected(**common, rule=verdict["rule"], reason=verdict["reason"])
        if content["is_bad"]
        else FileValidated(**common, **counts)
    )
    context = MessageContext(SOURCE, command.batch_id, message.event_id)
    try:
        store.append(StreamAppend(stream, 0, [event]), context=context)
    except ConcurrencyConflict:
        _put_back(store.read(stream)[0].data.report, documents)
        raise
    return _answer(command, event)


def _put_back(standing: ObjectRef, documents: Documents) -> None:
    """The newest report is the one that the conclusion pins, whoever wrote one after it."""
    documents.put_json(standing.bucket, standing.key, documents.get_json(standing))


def _answer(command: ValidateFile, event: object) -> dict[str, Any]:
    outcome = "REJECTED" if isinstance(event, FileRejected) else "VALIDATED"
    return {"outcome": outcome, "file_index": command.file_index}
