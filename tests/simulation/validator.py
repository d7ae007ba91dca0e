"""A validator that believes what a file says of itself; its rules are tested elsewhere."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict
from contracts.layout import FILE_GONE, file_report_key, staged_key
from contracts.messages import (
    BatchManifest,
    FileRejected,
    FileReport,
    FileValidated,
    ManifestFile,
    ObjectRef,
    ValidateFile,
)
from services.runtime.event_store import StreamAppend
from tests.simulation.checks import require
from tests.simulation.shop import OWN
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
    _see_what_it_is_read_by(file, world)
    common: dict[str, Any] = {
        "batch_id": command.batch_id,
        "file_index": command.file_index,
        "key": file.key,
        "kind": file.kind,
    }
    rows = len(content["rows"])
    counts = {"rows_in": rows, "unknown_columns": [], "quarantined": 0, "accepted": rows}
    staged, kinds = None, []
    verdict: dict[str, Any] = {"status": "accepted"}
    if content["is_bad"]:
        counts |= {"accepted": 0, "quarantined": rows}
        verdict = {"status": "rejected", "rule": "file.header", "reason": "it has no header"}
        if found is None:
            verdict |= {"rule": FILE_GONE, "reason": "somebody has deleted it"}
    elif file.source is not None:
        kinds = _staged_kinds(content["kinds"], manifest, file, documents)
    else:
        key = staged_key(command.batch_id, file.kind, file.index)
        staged = documents.put_json(manifest.bucket, key, content["rows"])
    report = FileReport(
        kinds=kinds,
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


def _see_what_it_is_read_by(file: ManifestFile, world: World) -> None:
    """A file of a source is sealed with a source and lookups that were there."""
    pinned = [lookup.ref for lookup in file.lookups]
    pinned += [file.source.ref] if file.source and file.source.ref else []
    for ref in pinned:
        there = (ref.bucket, ref.key, ref.version_id) in world.buckets.ever
        world.promise(partial(require, there, f"{ref.key} is pinned, and was never there"))
    is_own = file.source is not None and file.source.name == OWN
    has_lookup = not is_own or bool(file.lookups)
    world.promise(partial(require, has_lookup, f"{file.key} is sealed without its lookup"))


def _staged_kinds(
    rows: dict[str, list[dict[str, str]]],
    manifest: BatchManifest,
    file: ManifestFile,
    documents: Documents,
) -> list[dict[str, Any]]:
    """What a file of a source gives, kind by kind."""
    found = []
    for kind, given in rows.items():
        key = staged_key(manifest.batch_id, kind, file.index)
        staged = documents.put_json(manifest.bucket, key, given)
        counts = {"rows_in": len(given), "accepted": len(given), "quarantined": 0}
        found.append({"kind": kind, "staged": staged.model_dump()} | counts)
    return found


def _put_back(standing: ObjectRef, documents: Documents) -> None:
    """The newest report is the one that the conclusion pins, whoever wrote one after it."""
    documents.put_json(standing.bucket, standing.key, documents.get_json(standing))


def _answer(command: ValidateFile, event: object) -> dict[str, Any]:
    outcome = "REJECTED" if isinstance(event, FileRejected) else "VALIDATED"
    return {"outcome": outcome, "file_index": command.file_index}
