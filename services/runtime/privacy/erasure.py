"""Erasing one user from versioned objects: search each, rewrite what stands, delete what stood.

Their owners decide which objects; how text is rewritten is in `csv_files/user_ids.py`. Every step
can be repeated: what was rewritten holds the token and not the id.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from pydantic import BaseModel

from contracts.clock import Clock
from contracts.envelope import Message, MessageContext
from contracts.errors import ConcurrencyConflict, ContractViolation, VersionGone
from contracts.messages import (
    ErasureRequest,
    ExportColumns,
    ObjectRef,
    ObjectVersion,
    UnsearchedObject,
)
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.gzip_data import unpacked
from services.runtime.event_store import EventStore, StreamAppend
from services.runtime.observability.logs import logger
from services.runtime.privacy.export_ids import ExportEraser
from services.runtime.privacy.user_ids import FileEraser, Found, Replacement
from services.runtime.storage.documents import ObjectStore, check_document

GZIP_MARK = b"\x1f\x8b"
READ_BYTES = 1 << 20
NOT_TEXT = (
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0",
    b"PAR1",
    b"%PDF",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)
"""Workbooks, archives, Parquet: what they hold cannot be seen in their bytes."""


class Content(Protocol):
    """A version's bytes as they lie there."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end, Transient when the connection drops."""


Open = Callable[[], AbstractContextManager[Content]]
Rewrite = Callable[[Open, Path], Found]
"""Writes the content with the token to the path, if the id or token is in it.

Raises Unsearchable.
"""


class Versions(Protocol):
    """Exact versions of objects in one bucket; faults are Transient or PipelineError."""

    def open(self, version: ObjectVersion) -> AbstractContextManager[Content]:
        """Its bytes; raises VersionGone when there is no such version any more."""

    def put(self, path: Path, like: ObjectVersion) -> None:
        """A new version under the same key, with the same type and metadata."""

    def delete(self, version: ObjectVersion) -> None:
        """Delete exactly that version; deleting it again is fine."""


class Unsearchable(Exception):
    """Nobody can tell what an object holds; the message says why."""


@dataclass
class Erasure:
    """What became of some objects; `holding` are the versions that held the user's id."""

    versions: int = 0
    rewritten_objects: int = 0
    deleted_versions: int = 0
    rows: int = 0
    uncertain_rows: int = 0
    holding: list[ObjectVersion] = field(default_factory=list)
    unsearched: list[UnsearchedObject] = field(default_factory=list)

    def counts(self) -> dict[str, Any]:
        """What an event may say: it names no object that held the user, or who knows the id of
        the user could find the token there.
        """
        counted = ("versions", "rewritten_objects", "deleted_versions", "rows", "uncertain_rows")
        return {name: getattr(self, name) for name in counted} | {"unsearched": self.unsearched}


def erase_in(
    objects: Iterable[ObjectVersion],
    versions: Versions,
    rewrite_of: Callable[[ObjectVersion], Rewrite],
    *,
    dry_run: bool = False,
) -> Erasure:
    """Put the token in the place of the id in what stands, and delete every version that holds it.

    `rewrite_of` gives the way to rewrite an object. With `dry_run` nothing is changed.
    """
    erasure = Erasure()
    for version in objects:
        try:
            _erase(version, versions, rewrite_of(version), erasure, dry_run=dry_run)
        except Unsearchable as why:
            erasure.unsearched.append(UnsearchedObject(key=version.key, reason=str(why)))
    return erasure


def _erase(
    version: ObjectVersion, versions: Versions, rewrite: Rewrite, erasure: Erasure, *, dry_run: bool
) -> None:
    with TemporaryDirectory(prefix="erase-") as folder:
        path = Path(folder, "rewritten")
        try:
            found = rewrite(lambda: versions.open(version), path)
        except VersionGone:
            return
        erasure.versions += 1
        if version.is_current:
            erasure.rows += found.rows
            erasure.uncertain_rows += found.uncertain_rows
        if not found.replaced:
            return
        erasure.holding.append(version)
        if not dry_run:
            if version.is_current:
                versions.put(path, version)
            versions.delete(version)
        erasure.rewritten_objects += version.is_current
        erasure.deleted_versions += 1


def csv_rewrite(kind: str, today: date, wanted: Replacement) -> Rewrite:
    """Rewrites a CSV file of that kind, gzip too; most files are only read through."""
    return _rewrite_by(
        lambda: FileEraser(kind, today, wanted), lambda pieces: _may_hold(pieces, wanted)
    )


def export_rewrite(columns: ExportColumns, wanted: Replacement) -> Rewrite:
    """Rewrites a file that a source reads, gzip too."""

    def holds(pieces: Iterator[bytes]) -> bool:
        """Whatever case and encoding it is in: a pass that changes nothing tells."""
        trial = ExportEraser(columns, wanted)
        for _ in trial.rewritten(pieces):
            pass
        return bool(trial.found.rows or trial.found.uncertain_rows or trial.found.replaced)

    return _rewrite_by(lambda: ExportEraser(columns, wanted), holds)


def _rewrite_by(
    eraser_of: Callable[[], FileEraser | ExportEraser], holds: Callable[[Iterator[bytes]], bool]
) -> Rewrite:
    def rewrite(opened: Open, path: Path) -> Found:
        try:
            with opened() as content:
                is_packed, pieces = text_of(content)
                if not holds(pieces):
                    return Found()
            eraser = eraser_of()
            with opened() as content, path.open("wb") as target:
                _, pieces = text_of(content)
                rewritten = eraser.rewritten(pieces)
                target.writelines(_packed(rewritten) if is_packed else rewritten)
        except BadFile as bad:
            raise Unsearchable(bad.reason) from bad
        return eraser.found

    return rewrite


def fetched(opened: Open, path: Path) -> None:
    """A version's bytes as a local file."""
    with opened() as content, path.open("wb") as target:
        while piece := content.read(READ_BYTES):
            target.write(piece)


def text_of(content: Content) -> tuple[bool, Iterator[bytes]]:
    """Whether the bytes are gzip data, and what they are unpacked."""
    first = content.read(READ_BYTES)
    if first.startswith(NOT_TEXT):
        raise Unsearchable("it is no text: a workbook, an archive or another binary file")

    def pieces() -> Iterator[bytes]:
        piece = first
        while piece:
            yield piece
            piece = content.read(READ_BYTES)

    is_packed = first.startswith(GZIP_MARK)
    return is_packed, unpacked(pieces(), READ_BYTES) if is_packed else pieces()


def _may_hold(pieces: Iterator[bytes], wanted: Replacement) -> bool:
    """Read to the end even so: gzip data that is damaged further on is found out now."""
    longest = max(map(len, wanted.needles))
    tail, found = b"", False
    for piece in pieces:
        found = found or wanted.is_in(tail + piece)
        tail = (tail + piece)[-longest:]
    return found


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


@dataclass(frozen=True)
class ErasurePorts:
    """What the owner of some objects needs to erase a user from them."""

    store: EventStore
    documents: ObjectStore
    versions_of: Callable[[str], Versions]
    clock: Clock


def carry_out(
    message: Message,
    stream: str,
    rewrites: Callable[[ErasureRequest], Callable[[ObjectVersion], Rewrite]],
    event_of: Callable[[dict[str, Any]], BaseModel],
    ports: ErasurePorts,
    source: str,
) -> None:
    """Erase from the objects of the command and append what was done to its stream, once."""
    command = message.data
    if ports.store.read(stream):
        return
    request = erasure_request(command.request, ports.documents)
    versions = ports.versions_of(command.bucket)
    erasure = erase_in(command.objects, versions, rewrites(request))
    event = event_of({"request_id": command.request_id, **erasure.counts()})
    context = MessageContext(source, command.request_id, message.event_id)
    try:
        ports.store.append(StreamAppend(stream, 0, [event]), context=context)
    except ConcurrencyConflict:
        logger.info("another delivery of the command was faster", request_id=command.request_id)


def erasure_request(ref: ObjectRef, documents: ObjectStore) -> ErasureRequest:
    """Whom an erasure is about; raises PipelineError when it is over and the document gone."""
    document = documents.get_json(ref)
    check_document("ErasureRequest", document, closed=False)
    return ErasureRequest.model_validate(document)


def replacement_of(request: ErasureRequest) -> Replacement:
    """The id and its token; raises ContractViolation for a request that does not say them."""
    if request.user_id is None or request.user_token is None:
        raise ContractViolation(f"{request.erasure_id} does not say whom to erase")
    return Replacement(request.user_id, request.user_token, tuple(request.said_as))
