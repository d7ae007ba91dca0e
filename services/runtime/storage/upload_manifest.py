"""The manifest that makes uploaded files one batch: its document, and how its files are marked."""

from collections.abc import Sequence
from typing import Any

from contracts.identities import FileIdentity
from contracts.messages import ObjectRef

MANIFEST_METADATA = "ecp-manifest"
"""S3 metadata that says a file belongs to a manifest that is still to come."""


def upload_manifest(
    files: Sequence[FileIdentity], answers: ObjectRef | None, *, one_statement: bool = False
) -> dict[str, Any]:
    """`answers` names the quarantined rows that the files correct (ReplayAnswers)."""
    manifest: dict[str, Any] = {
        "files": [{"key": file.key, "version_id": file.version_id} for file in files]
    }
    if one_statement:
        manifest["one_statement"] = True
    if answers is not None:
        manifest["answers"] = answers.model_dump()
    return manifest
