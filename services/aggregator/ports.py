"""All that the aggregator talks to, as ports; their AWS implementations are in adapters.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from contracts.clock import Clock
from contracts.identities import FileIdentity
from contracts.messages import FileReport
from services.aggregator.notifications import SnsNotification
from services.aggregator.open_set.detection import Notification, Sighting, VersionPage
from services.aggregator.open_set.domain import FileSet
from services.runtime.event_store import EventStore, StateTables
from services.runtime.storage.documents import ObjectStore

SOURCE = "ecommerce-pipeline/aggregator"


class Store(EventStore, StateTables, Protocol):
    """The event store together with the table that changes in its transactions."""


class Uploads(Protocol):
    """The objects that people put into the data bucket."""

    def look(self, notification: Notification) -> Sighting | None:
        """What is there now under that key (and version); None when it is gone."""

    def read(self, seen: Sighting) -> bytes | None:
        """The content of that version; None when it is gone."""

    def versions(self, bucket: str, prefix: str, after: tuple[str, str] | None) -> VersionPage:
        """Up to 1,000 versions under the prefix, without delete markers, after this one."""

    def gone(self, identities: Sequence[FileIdentity]) -> set[FileIdentity]:
        """Those of these versions that are deleted."""


class Reports(Protocol):
    """The validator's reports, under their published keys (contracts/layout.py)."""

    def read(self, bucket: str, batch_id: str, indexes: Collection[int]) -> dict[int, FileReport]:
        """The reports of these files; a file without one is left out."""


class Executions(Protocol):
    """Executions of the state machine `ecsJob`."""

    def start(self, name: str, document: Mapping[str, object]) -> str:
        """Start one and return its execution id (ARN); one of that name that exists is success."""

    def ended(self, execution_id: str) -> str | None:
        """How an execution ended (FAILED, TIMED_OUT, ABORTED, SUCCEEDED); None while it runs.

        One that Step Functions does not know any more has ended as UNKNOWN.
        """


class Checks(Protocol):
    """Messages to ourselves: look at a bucket's open set again."""

    def send(self, bucket: str, delay_seconds: int) -> None:
        """Have the open set checked after so many seconds (SQS: at most 900)."""


class People(Protocol):
    """Whoever listens to the pipeline's notifications."""

    def tell(self, notice: SnsNotification) -> None:
        """Send it to all of them."""


@dataclass(frozen=True)
class Ports:
    """What the use cases are given, and their tunables."""

    store: Store
    documents: ObjectStore
    uploads: Uploads
    reports: Reports
    executions: Executions
    checks: Checks
    people: People
    clock: Clock
    table: str
    settle: timedelta
    overdue: timedelta
    known_sets: dict[str, FileSet] = field(default_factory=dict)
    """Open sets folded before by this process, by bucket; only newer events are read again."""
    judged: set[FileIdentity] = field(default_factory=set)
    """Versions of which this process knows that a row tells what they are."""
