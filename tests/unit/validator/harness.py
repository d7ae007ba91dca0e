"""A validator on a bucket in memory: upload, validate, look at what stands where."""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq

from contracts.envelope import Message
from contracts.errors import Transient, VersionGone
from contracts.messages import ManifestFile, ObjectRef, ValidateFile
from services.runtime.event_store import InMemoryEventStore
from services.runtime.storage.documents import canonical_json, sha256_hex
from services.validator.pseudonyms import Pseudonyms
from services.validator.use_cases import Ports, validate_file
from tests.support.commands import saga_command

BATCH = "3f2a9c0d1e4b5a67"
BUCKET = "uploads"
KEY = b"a key for tests"
NOW = datetime(2025, 7, 8, 23, 30, tzinfo=UTC)


class Bucket:
    """A versioned bucket: inputs, outputs and documents. `standing` maps keys to content."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], bytes] = {}
        self.standing: dict[str, bytes] = {}
        self.refused_keys: tuple[str, ...] = ()
        self.drops_after: int | None = None
        self.opened = 0
        self._numbers = count(1)

    def keep(self, key: str, content: bytes) -> ObjectRef:
        if any(refused in key for refused in self.refused_keys):
            raise Transient(f"{key}: S3 cannot be reached")
        version_id = f"v{next(self._numbers)}"
        self.versions[(key, version_id)] = self.standing[key] = content
        return ObjectRef(bucket=BUCKET, key=key, version_id=version_id, sha256=sha256_hex(content))

    def put(self, path: Path, bucket: str, key: str) -> ObjectRef:
        assert bucket == BUCKET
        return self.keep(key, path.read_bytes())

    def copy(self, bucket: str, file: ManifestFile, key: str) -> ObjectRef:
        assert bucket == BUCKET
        return self.keep(key, self._pinned(file))

    def restore(self, ref: ObjectRef) -> None:
        if (ref.key, ref.version_id) not in self.versions:
            raise VersionGone(f"{ref.key} version {ref.version_id} is gone")
        self.standing[ref.key] = self.versions[(ref.key, ref.version_id)]

    def delete(self, key: str, version_id: str) -> None:
        """What somebody else does to an input."""
        del self.versions[(key, version_id)]

    def _pinned(self, file: ManifestFile) -> bytes:
        if (file.key, file.version_id) not in self.versions:
            raise VersionGone(f"{file.key} version {file.version_id} is gone")
        return self.versions[(file.key, file.version_id)]

    def remove(self, bucket: str, key: str) -> None:
        assert bucket == BUCKET
        self.standing.pop(key, None)

    @contextmanager
    def open(self, bucket: str, file: ManifestFile) -> Iterator[Any]:
        assert bucket == BUCKET
        self.opened += 1
        content = self._pinned(file)
        yield io.BytesIO(content) if self.drops_after is None else Dropping(content, self)

    @contextmanager
    def open_object(self, ref: ObjectRef) -> Iterator[Any]:
        if (ref.key, ref.version_id) not in self.versions:
            raise VersionGone(f"{ref.key} version {ref.version_id} is gone")
        yield io.BytesIO(self.versions[(ref.key, ref.version_id)])

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        assert bucket == BUCKET
        return self.keep(key, canonical_json(document))

    def get_json(self, ref: ObjectRef) -> Any:
        return json.loads(self.versions[(ref.key, ref.version_id)])

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The rows of a Parquet object."""
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(self.standing[key])).to_pylist()
        return rows

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.standing if key.startswith(prefix))


class Dropping:
    """A body whose connection breaks after some bytes."""

    def __init__(self, content: bytes, bucket: Bucket) -> None:
        self._content, self._bucket = io.BytesIO(content), bucket

    def read(self, size: int, /) -> bytes:
        assert self._bucket.drops_after is not None
        if self._content.tell() >= self._bucket.drops_after:
            raise Transient("S3 stopped in the middle")
        return self._content.read(min(size, self._bucket.drops_after))


class ValidatorHarness:
    """One batch, its files in order of upload, and the validator."""

    def __init__(self, **settings: Any) -> None:
        self.bucket = Bucket()
        self.now = NOW
        self.settings = settings
        self.files: list[dict[str, Any]] = []
        self.keys: tuple[bytes, ...] = (KEY,)
        self._ids = (str(UUID(int=number)) for number in count(1))
        self.store = InMemoryEventStore(lambda: self.now, lambda: next(self._ids))

    def upload(
        self, key: str, content: str | bytes, duplicate_of: int | None = None, **more: Any
    ) -> int:
        """Upload a file; returns its index. `more` is what its manifest says of it besides."""
        data = content.encode() if isinstance(content, str) else content
        index = len(self.files)
        self.files.append(
            {
                "index": index,
                "kind": key.partition("/")[0],
                "key": key,
                "version_id": self.bucket.keep(key, data).version_id,
                "size_bytes": len(data),
                "etag": hashlib.md5(data).hexdigest(),  # noqa: S324
                "sha256": None,
                "duplicate_of": duplicate_of,
                **({"kind": key.partition("/")[0]} | more),
            }
        )
        return index

    def validate(self, index: int = 0, fence: int = 7, batch_id: str = BATCH) -> dict[str, Any]:
        """What the validator answers to a ValidateFile."""
        return validate_file(self.command(index, fence, batch_id), self.ports())

    def ports(self) -> Ports:
        return Ports(
            store=self.store,
            documents=self.bucket,
            inputs=self.bucket,
            outputs=self.bucket,
            clock=lambda: self.now,
            pseudonyms=lambda: Pseudonyms(*self.keys),
            **self.settings,
        )

    def command(self, index: int, fence: int, batch_id: str = BATCH) -> Message:
        manifest = {
            "batch_id": BATCH,
            "bucket": BUCKET,
            "sealed_at": "2025-07-08T12:00:00.000Z",
            "trigger": "MANIFEST",
            "manifest_key": None,
            "files": self.files,
        }
        command = ValidateFile(
            batch_id=batch_id,
            manifest=self.bucket.put_json(BUCKET, f"processing/{BATCH}/manifest.json", manifest),
            file_index=index,
            execution_id=f"arn:execution:{fence}",
            fence=fence,
            attempt=0,
        )
        return saga_command(command, next(self._ids), "2025-07-08T12:00:00.000Z", batch_id, "token")

    def report(self, index: int = 0) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(
            self.bucket.standing[f"processing/{BATCH}/reports/{index:04d}.json"]
        )
        return report

    def events(self, index: int = 0) -> list[Any]:
        return [message.data for message in self.store.read(f"validation/{BATCH}/{index}")]
