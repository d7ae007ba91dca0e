"""What the lineage does with an event of a batch: gather, decide, tell."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from openlineage.client.event_v2 import RunEvent

from contracts.envelope import Message
from contracts.layout import FACTS_DATABASE
from contracts.messages import (
    BatchCompleted,
    BatchManifest,
    BatchRejected,
    BatchResult,
    FileReport,
    ObjectRef,
)
from services.lineage.domain import BatchEvent, Documents, run_event


class Backend(Protocol):
    """Whoever keeps lineage."""

    def tell(self, event: RunEvent) -> None:
        """Hand it over; raises PipelineError when it was not taken."""


class BatchDocuments(Protocol):
    """What the services wrote about a batch; all of it expires."""

    def manifest(self, batch_id: str) -> BatchManifest | None:
        """Its files, pinned."""

    def result(self, ref: ObjectRef) -> BatchResult | None:
        """What became of them."""

    def reports(self, batch_id: str, indexes: Collection[int]) -> Mapping[int, FileReport]:
        """What the validator says of these files, by position; those that it has reported on."""


@dataclass(frozen=True)
class Ports:
    """What the use case reaches the world with; without a `backend`, lineage is off."""

    documents: BatchDocuments
    backend: Backend | None
    namespace: str
    database: str = FACTS_DATABASE


def batch_changed(message: Message, ports: Ports) -> None:
    """Tell the backend of it; twice is as once, and when lineage is off nothing is read."""
    if ports.backend is not None:
        documents = _documents(message.data, ports.documents)
        ports.backend.tell(run_event(message, documents, ports.namespace, ports.database))


def _documents(event: BatchEvent, documents: BatchDocuments) -> Documents:
    manifest = documents.manifest(event.batch_id)
    if isinstance(event, BatchCompleted):
        return Documents(manifest, documents.result(event.result))
    if not isinstance(event, BatchRejected) or manifest is None:
        return Documents(manifest)
    rejected = {file.key for file in event.rejected_files}
    wanted = [each for each in manifest.files if each.key in rejected]
    reports = documents.reports(event.batch_id, [each.index for each in wanted])
    version = {each.index: each.version_id for each in wanted}
    of_these = {
        index: report for index, report in reports.items() if report.version_id == version[index]
    }
    return Documents(manifest, reports=of_these)
