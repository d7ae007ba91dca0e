"""What the validator asks of object storage; the S3 implementation is in `adapters.py`."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from contracts.messages import ManifestFile, ObjectRef
from services.validator.reading.file_text import ByteStream


class Inputs(Protocol):
    """The files of a batch, exactly as its manifest pins them."""

    def open(self, bucket: str, file: ManifestFile) -> AbstractContextManager[ByteStream]:
        """The bytes of the pinned version, whole or not at all.

        Opening and reading raise Transient when S3 is away, busy or stops in the middle, and
        opening raises VersionGone when somebody has deleted the version: never an early end.
        """

    def open_object(self, ref: ObjectRef) -> AbstractContextManager[ByteStream]:
        """The bytes of another pinned object, as `open` gives those of a file."""


class Outputs(Protocol):
    """Objects that appear in one step or not at all; faults of S3 are raised as in Inputs."""

    def put(self, path: Path, bucket: str, key: str) -> ObjectRef:
        """Upload a local file; nobody sees the object before its last byte is there."""

    def copy(self, bucket: str, file: ManifestFile, key: str) -> ObjectRef:
        """Copy the pinned version byte for byte, verified.

        Raises PipelineError if it differs, VersionGone when there is nothing to copy any more.
        """

    def restore(self, ref: ObjectRef) -> None:
        """See that under its key stands what that version holds; raises VersionGone without it."""

    def remove(self, bucket: str, key: str) -> None:
        """See that nothing stands under the key; that there is nothing already is fine."""
