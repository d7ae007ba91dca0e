"""DynamoDB and S3 as the services meet them: every call waits, may fail, or be done and fail."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.clock import to_rfc3339
from contracts.envelope import Message, MessageContext
from contracts.errors import PipelineError, Transient
from contracts.identities import FileIdentity
from contracts.layout import file_report_key
from contracts.messages import BatchManifest, FileReport, ObjectRef
from services.aggregator.open_set.detection import (
    ListedVersion,
    Notification,
    Sighting,
    VersionPage,
)
from services.archiver.domain import Stored
from services.runtime.event_store import InMemoryEventStore, StateWrite, StreamAppend
from services.runtime.storage.documents import canonical_json, sha256_hex
from services.transformer.batch.reconciliation import kinds_of
from services.transformer.engines.port import StagedFile

if TYPE_CHECKING:
    from tests.simulation.world import World

TABLES = {
    "ProcessingLockTable": ("LockId",),
    "AggregatorState": ("pk", "sk"),
    "TransformerState": ("StateId",),
    "OrderKPIs": ("order_date",),
    "CategoryKPIs": ("category", "order_date"),
}


class EventStoreTable(InMemoryEventStore):
    """What really stands in DynamoDB; a query copies its answer only."""

    def query(self, table: str, partition: Mapping[str, Any]) -> list[dict[str, Any]]:
        [(name, value)] = partition.items()
        found = [one for one in self._tables[table].values() if one[name] == value]
        return [_copy(one) for one in sorted(found, key=lambda item: self._key(table, item))]

    def get_item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self._tables[table].get(self._key(table, key))
        return None if found is None else _copy(found)

    def item(self, table: str, *key: str) -> dict[str, Any] | None:
        """For the checks only: the item itself."""
        return self._tables[table].get(key)

    def items(self, table: str) -> Collection[dict[str, Any]]:
        """For the checks only: the items themselves."""
        return self._tables[table].values()

    def streams(self) -> Mapping[str, list[Message]]:
        """For the checks only."""
        return self._streams


def _copy(value: Any) -> Any:
    """As deepcopy, for what an item can hold."""
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return value


class FaultyStore:
    """The event store over a network, for one service."""

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service

    def read(self, stream_id: str, after_version: int = 0) -> list[Message]:
        self._world.touch(f"{self._service} read")
        return self._world.table.read(stream_id, after_version)

    def append(
        self,
        *appends: StreamAppend,
        context: MessageContext,
        writes: Sequence[StateWrite] = (),
    ) -> list[Message]:
        place = f"{self._service} append"
        fault = self._world.touch(place, "ambiguous")
        before = self._world.before_writes(writes)
        stored = self._world.table.append(*appends, context=context, writes=writes)
        self._world.appended(stored, writes, before)
        self._world.after(place)
        if fault == "ambiguous":
            raise Transient(f"{place}: the answer did not come")
        return stored

    def read_correlated(self, correlation_id: str) -> list[Message]:
        self._world.touch(f"{self._service} read_correlated")
        return self._world.table.read_correlated(correlation_id)

    def get_item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        self._world.touch(f"{self._service} get_item")
        return self._world.table.get_item(table, key)

    def get_items(self, table: str, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        self._world.touch(f"{self._service} get_items")
        return self._world.table.get_items(table, keys)

    def query(self, table: str, partition: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._world.touch(f"{self._service} query")
        return self._world.table.query(table, partition)

    def scan(self, table: str) -> list[dict[str, Any]]:
        self._world.touch(f"{self._service} scan")
        return self._world.table.scan(table)


@dataclass
class Version:
    """One version of one object."""

    bucket: str
    key: str
    version_id: str
    content: bytes
    last_modified: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class Buckets:
    """S3 with versioning; what happens here happens at once and without faults."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self.versions: dict[tuple[str, str], dict[str, Version]] = {}
        self.ever: dict[tuple[str, str, str], Version] = {}
        """Every version that there was, for those who check."""
        self.hidden: set[tuple[str, str]] = set()
        """Keys with a delete marker on top."""

    def put(
        self, bucket: str, key: str, content: bytes, metadata: Mapping[str, str] | None = None
    ) -> Version:
        version = Version(
            bucket,
            key,
            f"v{next(self._numbers)}",
            content,
            to_rfc3339(self._world.true_time()),
            metadata or {},
        )
        self.versions.setdefault((bucket, key), {})[version.version_id] = version
        self.ever[bucket, key, version.version_id] = version
        self.hidden.discard((bucket, key))
        return version

    def find(self, bucket: str, key: str, version_id: str | None = None) -> Version | None:
        """That version, or the newest."""
        versions = self.versions.get((bucket, key), {})
        if version_id is not None:
            return versions.get(version_id)
        if (bucket, key) in self.hidden:
            return None
        return next(reversed(versions.values())) if versions else None

    def all_in(self, bucket: str) -> list[Version]:
        """Every version of every key."""
        return [
            version
            for (name, _), versions in self.versions.items()
            if name == bucket
            for version in versions.values()
        ]

    def delete(self, bucket: str, key: str, version_id: str) -> None:
        self.versions.get((bucket, key), {}).pop(version_id, None)


def listing_order(key: str, version_id: str) -> tuple[str, int]:
    """As S3 lists versions: by key, the newest first; ids are numbered in order of upload."""
    return key, -int(version_id.removeprefix("v"))


class Documents:
    """ObjectStore over a network."""

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service

    def put_json(self, bucket: str, key: str, document: Any) -> ObjectRef:
        place = f"{self._service} put_json"
        fault = self._world.touch(place, "ambiguous")
        content = canonical_json(document)
        version = self._world.buckets.put(bucket, key, content)
        self._world.after(place)
        if fault == "ambiguous":
            raise Transient(f"{place}: the answer did not come")
        return ObjectRef(
            bucket=bucket, key=key, version_id=version.version_id, sha256=sha256_hex(content)
        )

    def get_json(self, ref: ObjectRef) -> Any:
        self._world.touch(f"{self._service} get_json")
        version = self._world.buckets.find(ref.bucket, ref.key, ref.version_id)
        if version is None:
            raise PipelineError(f"s3://{ref.bucket}/{ref.key} {ref.version_id} is not there")
        return json.loads(version.content)


class Uploads:
    """What the aggregator sees of people's objects."""

    def __init__(self, world: World) -> None:
        self._world = world

    def look(self, notification: Notification) -> Sighting | None:
        self._world.touch("aggregator look")
        found = self._world.buckets.find(
            notification.bucket, notification.key, notification.version_id
        )
        if found is None:
            return None
        return Sighting(
            bucket=found.bucket,
            key=found.key,
            version_id=found.version_id,
            size_bytes=len(found.content),
            etag=found.etag,
            last_modified=found.last_modified,
            manifest_key=found.metadata.get("ecp-manifest"),
        )

    def versions(self, bucket: str, prefix: str, after: tuple[str, str] | None) -> VersionPage:
        """Two to a page: a small world has few versions, and passes through them in pieces."""
        self._world.touch("aggregator list versions")
        found = sorted(
            (
                ListedVersion(
                    one.key,
                    one.version_id,
                    one.last_modified,
                    self._world.buckets.find(bucket, one.key) is one,
                )
                for one in self._world.buckets.all_in(bucket)
                if one.key.startswith(prefix)
            ),
            key=lambda one: listing_order(*one.identity),
        )
        if after is not None:
            found = [one for one in found if listing_order(*one.identity) > listing_order(*after)]
        return VersionPage(found[:2], found[1].identity if len(found) > 2 else None)

    def gone(self, identities: Sequence[FileIdentity]) -> set[FileIdentity]:
        self._world.touch("aggregator look for gone")
        return {one for one in identities if self._world.buckets.find(*one) is None}

    def read(self, seen: Sighting) -> bytes | None:
        self._world.touch("aggregator read object")
        found = self._world.buckets.find(seen.bucket, seen.key, seen.version_id)
        return found.content if found else None


class Reports:
    """The validator's reports, for the aggregator."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self, bucket: str, batch_id: str, indexes: Collection[int]) -> dict[int, FileReport]:
        self._world.touch("aggregator reports")
        found = {
            index: self._world.buckets.find(bucket, file_report_key(batch_id, index))
            for index in indexes
        }
        return {
            index: FileReport.model_validate_json(version.content)
            for index, version in found.items()
            if version is not None
        }


class Inputs:
    """What the transformer finds of the validator's work; `path` is the staged object's key."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        self._world.touch("transformer reports")
        found = {}
        for file in manifest.files:
            if file.duplicate_of is None:
                key = file_report_key(manifest.batch_id, file.index)
                version = self._world.buckets.find(manifest.bucket, key)
                if version is None:
                    raise PipelineError(f"{key} cannot be read")
                found[file.index] = FileReport.model_validate_json(version.content)
        return found

    @contextmanager
    def fetch(self, reports: Mapping[int, FileReport]) -> Iterator[list[StagedFile]]:
        self._world.touch("transformer fetch")
        yield [
            StagedFile(found.kind, report.file_index, report.key, Path(found.staged.key))
            for report in reports.values()
            for found in kinds_of(report)
            if found.staged
        ]


class ArchiverObjects:
    """The archiver's view of S3."""

    def __init__(self, world: World) -> None:
        self._world = world

    def head(self, bucket: str, key: str, version_id: str | None = None) -> Stored | None:
        self._world.touch("archiver head")
        found = self._world.buckets.find(bucket, key, version_id)
        if found is None:
            return None
        return Stored(found.version_id, len(found.content), found.etag, metadata=found.metadata)

    def copy(
        self,
        source: tuple[str, str, str],
        bucket: str,
        key: str,
        _like: Stored,
        provenance: Mapping[str, str],
    ) -> None:
        fault = self._world.touch("archiver copy", "ambiguous")
        found = self._world.buckets.find(*source)
        if found is None:
            raise PipelineError(f"{source} is gone")
        metadata = {**found.metadata, **provenance}
        self._world.buckets.put(bucket, key, found.content, metadata)
        self._world.after("archiver copy")
        if fault == "ambiguous":
            raise Transient("CopyObject: the answer did not come")

    def sha256(self, bucket: str, key: str, version_id: str) -> str:
        self._world.touch("archiver sha256")
        found = self._world.buckets.find(bucket, key, version_id)
        return sha256_hex(found.content if found else b"")

    def delete(self, bucket: str, key: str, version_id: str) -> None:
        self._world.touch("archiver delete")
        self._world.promise(lambda: self._world.checks.before_delete(bucket, key, version_id))
        self._world.buckets.delete(bucket, key, version_id)
        self._world.after("archiver delete")
