"""What the archiver asks of object storage; the S3 implementation is in `adapters.py`."""

from collections.abc import Mapping
from typing import Protocol

from services.archiver.domain import Stored


class Objects(Protocol):
    """Whole objects, by exact version; every method raises Transient when S3 is away or busy."""

    def head(self, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
        """What is there: this version, or the one that stands; None when there is none."""

    def copy(
        self,
        source: tuple[str, str, str],
        bucket: str,
        key: str,
        like: Stored,
        provenance: Mapping[str, str],
    ) -> None:
        """Copy one version `(bucket, key, version_id)` whole, adding to its user metadata."""

    def sha256(self, bucket: str, key: str, version_id: str) -> str:
        """SHA-256 of a version's bytes, hex, computed from the bytes."""

    def delete(self, bucket: str, key: str, version_id: str) -> None:
        """Delete exactly that version; deleting it again is fine."""
