"""What a manifest pins of a source: the source itself, and the files that it looks values up in."""

from hashlib import sha256
from typing import Any

from contracts.errors import ContractViolation
from contracts.messages import ManifestFile, ObjectRef, PinnedSource
from contracts.sources.documents import MAX_BYTES
from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from contracts.sources.shipped import shipped_source
from services.validator.ports import Inputs
from services.validator.sources.lookups import lookup_table


def pinned_source(pinned: PinnedSource, inputs: Inputs) -> Source:
    """The source that a file is read by.

    Raises InvalidSource for one that is none, ContractViolation for another one than is pinned, and
    VersionGone when somebody has deleted it.
    """
    if pinned.ref is None:
        return shipped_source(pinned.name, pinned.version)
    source = parse_source(_content(pinned.ref, inputs), pinned.ref.key)
    if (source.name, source.version) != (pinned.name, pinned.version):
        raise ContractViolation(
            f"s3://{pinned.ref.bucket}/{pinned.ref.key} is {source.label}, and the manifest says "
            f"{pinned.name} v{pinned.version}"
        )
    return source


def pinned_lookups(file: ManifestFile, source: Source, inputs: Inputs) -> dict[str, Any]:
    """The lookups that are pinned beside the file; raises BadFile, VersionGone."""
    tables = {}
    for lookup in file.lookups:
        with inputs.open_object(lookup.ref) as stream:
            tables[lookup.name] = lookup_table(stream, source, lookup.ref.key)
    return tables


def _content(ref: ObjectRef, inputs: Inputs) -> bytes:
    """A source's bytes; of one that is too large only so many that this is seen."""
    pieces, held = [], 0
    with inputs.open_object(ref) as stream:
        while held <= MAX_BYTES and (piece := stream.read(MAX_BYTES + 1)):
            pieces.append(piece)
            held += len(piece)
    content = b"".join(pieces)
    if held <= MAX_BYTES and sha256(content).hexdigest() != ref.sha256:
        raise ContractViolation(
            f"s3://{ref.bucket}/{ref.key} version {ref.version_id} is not what the manifest pins"
        )
    return content
