"""What must hold after each step: plain words about events and items, none of the code's own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from contracts.clock import from_rfc3339
from contracts.envelope import Message
from contracts.layout import archive_prefix
from contracts.messages import (
    BatchCompleted,
    BatchFailed,
    BatchRedriven,
    BatchRejected,
    BatchSealed,
    FenceRaised,
    LockGranted,
    LockQueued,
    LockRecovered,
    LockReleased,
    ObjectRef,
    TransformStarted,
    WaiterSkipped,
)
from services.runtime.event_store import DeleteItem, PutItem, StateWrite
from tests.model import File, ShopModel
from tests.simulation.facts import KPI_TABLES as KPIS_BY_SQL
from tests.simulation.facts import Snapshot
from tests.support.kpi_items import BESIDE_MEASURES

if TYPE_CHECKING:
    from tests.simulation.world import World

KNOWN_DEAD_TIMES = 2
"""So often may the lock be done with a message in which it found a waiter dead, and not act on it.

A late copy of the waiter's AcquireLock may put it into the line again meanwhile.
"""
KPI_TABLES = ("OrderKPIs", "CategoryKPIs")
ENDS = (BatchCompleted, BatchRejected, BatchFailed)
SKEW_SECONDS = 10.0


class Violation(AssertionError):
    """The pipeline broke a promise."""


def require(holds: bool, promise: str) -> None:
    """Raise Violation with the promise unless it holds."""
    if not holds:
        raise Violation(promise)


class LockBook:
    """The line before the lock as a porter would keep it, from the lock's own events."""

    def __init__(self) -> None:
        self.holder: tuple[str, int] | None = None
        self.lease_until = ""
        self.line: list[str] = []
        self.highest_fence = 0
        self.grants: dict[int, str] = {}
        self.known_dead: Counter[str] = Counter()

    def take(self, message: Message) -> None:
        match message.data:
            case LockQueued(execution_id=who):
                require(self.holder is not None, f"{who} waits for a lock that is free")
                require(self.holder is None or self.holder[0] != who, f"{who} waits for itself")
                self.known_dead[who] = 0
                if who not in self.line:
                    self.line.append(who)
            case LockGranted(execution_id=who, fence=fence):
                require(self.holder is None, f"{who} is granted what {self.holder} holds")
                require(fence > self.highest_fence, f"fence {fence} is not over all before it")
                turn = not self.line or self.line[0] == who
                require(turn, f"{who} is granted before {self.line[:1]}: first come, first served")
                dead = who in self.line and self.known_dead[who] > KNOWN_DEAD_TIMES
                require(not dead, f"{who} is granted, and has long been known to be dead")
                self.holder, self.highest_fence = (who, fence), fence
                self.grants[fence] = message.data.batch_id
                self.lease_until = message.data.lease_until
                self.line = [one for one in self.line if one != who]
            case LockReleased(execution_id=who, fence=fence):
                require(
                    self.holder == (who, fence), f"{who}, {fence} releases {self.holder}'s lock"
                )
                self.holder = None
            case LockRecovered(reason=reason, fence=fence):
                require(self.holder is not None and self.holder[1] == fence, "a stale recovery")
                if reason == "LEASE_EXPIRED":
                    early = from_rfc3339(self.lease_until) - from_rfc3339(message.occurred_at)
                    require(
                        early.total_seconds() <= SKEW_SECONDS, "a lease is taken before its end"
                    )
                self.holder = None
            case FenceRaised(fence=fence):
                require(fence > self.highest_fence, f"fence {fence} was raised for nothing")
                self.highest_fence = fence
            case WaiterSkipped(execution_id=who):
                self.known_dead[who] = 0
                self.line = [one for one in self.line if one != who]
            case other:
                self.lease_until = other.lease_until


class Checks:
    """Sees every transaction as it is committed, every main that moves, every deletion."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lock = LockBook()
        self.model = ShopModel()
        self.published: list[str] = []
        self.sealed: dict[str, BatchSealed] = {}
        self.status: dict[str, str] = {}
        self._main_epochs: dict[str, int] = {}
        self._shown: dict[str, Any] = {}

    def committed(
        self, stored: Sequence[Message], writes: Sequence[StateWrite], before: dict[str, Any] | None
    ) -> None:
        """After a transaction."""
        for message in stored:
            if message.stream_id.startswith("lock/"):
                self.lock.take(message)
                self._lock_event(message.data)
            elif message.stream_id.startswith("transformation/"):
                self._writer_event(message.data, before)
            elif message.stream_id.startswith("batch/"):
                self._batch_event(message)
        for write in writes:
            if write.table in KPI_TABLES:
                self._kpi_write(write, before)
            elif write.table == "TransformerState" and isinstance(write, PutItem):
                self._state_write(before, write.item)

    def lock_knew(self, dead: Sequence[str]) -> None:
        """The lock is done with a message, without a fault, in which it found these dead."""
        for execution_id in dead:
            if execution_id in self.lock.line:
                self.lock.known_dead[execution_id] += 1

    def main_moved(self, table: str, snapshot: Snapshot) -> None:
        """A facts table's main is never moved by an older writer than the one before."""
        epoch = int(snapshot.writer.get("epoch", 0))
        newest = self._main_epochs.get(table, 0)
        require(epoch >= newest, f"epoch {epoch} moves main of {table} after epoch {newest}")
        self._main_epochs[table] = epoch
        shown = self._shown.get(table, {})
        if table in KPIS_BY_SQL and snapshot.rows != shown:
            state = self._world.table.item("TransformerState", "facts") or {}
            phase = (state.get("in_flight") or {}).get("phase")
            require(phase == "PUBLISHING", f"{table} shows what is not published yet")
            self._shown[table] = snapshot.rows

    def before_delete(self, bucket: str, key: str, version_id: str) -> None:
        """Only inputs of a published batch are deleted, and only when their copy is there."""
        batches = [one for one in self.published if (key, version_id) in self.files_of(one)]
        require(bool(batches), f"{key} {version_id} is deleted and no published batch holds it")
        source = self._world.buckets.find(bucket, key, version_id)
        copies = [
            self._world.buckets.find(self._world.archive, archive_prefix(batch_id) + key)
            for batch_id in batches
        ]
        kept = any(copy and (source is None or copy.content == source.content) for copy in copies)
        require(kept, f"{key} {version_id} is deleted before its copy is in the archive")

    def files_of(self, batch_id: str) -> dict[tuple[str, str], dict[str, Any]]:
        """The batch's manifest by (key, version_id)."""
        files = self.document(self.sealed[batch_id].manifest)["files"]
        return {(file["key"], file["version_id"]): file for file in files}

    def document(self, ref: ObjectRef) -> Any:
        """A document, whoever wrote it."""
        version = self._world.buckets.find(ref.bucket, ref.key, ref.version_id)
        return json.loads(version.content) if version else None

    def kpis_equal_the_model(self) -> None:
        """Item by item, nothing missing, nothing more."""
        for table, expected, sorting in (
            ("OrderKPIs", self.model.order_kpis(), ("order_date",)),
            ("CategoryKPIs", self.model.category_kpis(), ("order_date", "category")),
        ):
            items = [
                {name: value for name, value in item.items() if name not in BESIDE_MEASURES}
                for item in self._world.table.items(table)
            ]
            items.sort(key=lambda item: [item[name] for name in sorting])
            require(items == expected, f"{table} is {items}, the model says {expected}")
        for name, expected, sorting in (
            ("order_kpis", self.model.order_kpis(), ("order_date",)),
            ("category_kpis", self.model.category_kpis(), ("order_date", "category")),
        ):
            main = self._world.catalog.tables.get(name)
            if main is None:  # nobody wrote anything yet
                require(not expected, f"{name} is not there, the model says {expected}")
                continue
            rows = sorted(
                main.snapshots[main.main].rows.values(),
                key=lambda row: [row[column] for column in sorting],
            )
            require(rows == expected, f"{name} shows {rows}, the model says {expected}")

    def _lock_event(self, event: Any) -> None:
        """The lock goes only when its batch is undone or published; in calm, only by release."""
        is_calm = self._world.chaos.is_calm
        require(not (is_calm and isinstance(event, LockRecovered)), "a recovery in calm weather")
        if isinstance(event, LockReleased):
            state = self._world.table.item("TransformerState", "facts") or {}
            flight = state.get("in_flight") or {}
            batch_id = self.lock.grants.get(event.fence)
            held = flight.get("batch_id") == batch_id and state.get("fence") == event.fence
            require(not held, f"the lock is released while {batch_id} is neither done nor undone")

    def _writer_event(self, event: Any, before: dict[str, Any] | None) -> None:
        """Who writes facts was granted the lock for it, and nobody after it has written."""
        seen = before["fence"] if before else 0
        require(event.fence >= seen, f"fence {event.fence} writes after {seen}")
        if isinstance(event, TransformStarted):
            granted = self.lock.grants.get(event.fence)
            require(
                granted == event.batch_id,
                f"{event.batch_id} writes under fence {event.fence}, granted to {granted}",
            )

    def _batch_event(self, message: Message) -> None:
        event, batch_id = message.data, message.data.batch_id
        status = self.status.get(batch_id)
        match event:
            case BatchSealed():
                require(status is None, f"batch {batch_id} is sealed twice")
                self.sealed[batch_id] = event
                self.status[batch_id] = "OPEN"
            case BatchRedriven():
                require(status == "FAILED", f"batch {batch_id}, {status}, is redriven")
                self.status[batch_id] = "OPEN"
            case BatchCompleted() | BatchRejected() | BatchFailed():
                require(status == "OPEN", f"batch {batch_id} ends again, it was {status}")
                ended = type(event).__name__.removeprefix("Batch").upper()
                self.status[batch_id] = ended
                is_published = batch_id in self.published
                if ended == "COMPLETED":
                    require(is_published, f"batch {batch_id} is COMPLETED and not published")
                if ended == "REJECTED":
                    require(not is_published, f"batch {batch_id} is REJECTED and published")

    def _kpi_write(self, write: StateWrite, before: dict[str, Any] | None) -> None:
        state = before or {}
        flight = state.get("in_flight") or {}
        require(flight.get("phase") == "PUBLISHING", "KPIs are written while nothing is published")
        if isinstance(write, PutItem):
            newest = (state["epoch"], flight["batch_id"])
            writer = (write.item["epoch"], write.item["batch_id"])
            require(writer == newest, f"KPIs are written by {writer}, the newest is {newest}")
        elif isinstance(write, DeleteItem):
            require(write.table in KPI_TABLES, "only KPI items are deleted")

    def _state_write(self, before: dict[str, Any] | None, after: Any) -> None:
        old = before or {"epoch": 0, "fence": 0, "heads": {}, "in_flight": None}
        require(after["epoch"] >= old["epoch"], f"epoch falls to {after['epoch']}")
        require(
            after["fence"] >= old["fence"], f"the transformer's fence falls to {after['fence']}"
        )
        real = self._world.strangers.fence_is_real(after["fence"], self.lock.grants)
        require(
            after["fence"] == old["fence"] or real,
            f"the transformer saw fence {after['fence']}, which was never granted",
        )
        flight = old["in_flight"] or {}
        new_flight = after["in_flight"] or {}
        if after["epoch"] == old["epoch"]:
            moves = (flight.get("phase"), new_flight.get("phase"))
            allowed = (("FACTS", "PUBLISHING"), ("PUBLISHING", None), ("ABANDONING", None))
            require(moves in allowed, f"epoch {after['epoch']} goes from {moves[0]} to {moves[1]}")
        elif old["heads"]:
            require(after["heads"] == old["heads"], "a new epoch begins from other heads")
        if after["epoch"] != old["epoch"] and flight.get("phase") == "PUBLISHING":
            still = new_flight.get("phase") == "PUBLISHING"
            require(still, f"batch {flight['batch_id']} was being published and is dropped")
        if new_flight.get("phase") == "PUBLISHING" and flight.get("phase") != "PUBLISHING":
            self._publishes(new_flight["batch_id"], after)
        if flight.get("phase") == "PUBLISHING" and not new_flight:
            self.kpis_equal_the_model()

    def _publishes(self, batch_id: str, state: Any) -> None:
        """The point of no return: the model takes the batch, and the facts must equal it."""
        require(batch_id not in self.published, f"batch {batch_id} is published twice")
        self.published.append(batch_id)
        files: list[File] = []
        for (key, version_id), file in self.files_of(batch_id).items():
            if file["duplicate_of"] is None:
                stands = self._world.buckets.find("ecommerce-data-bucket", key, version_id)
                is_deleted = (key, version_id) in self._world.shop.deleted
                require(
                    is_deleted or stands is not None, f"{key} is gone before its batch is published"
                )
                version = self._world.buckets.ever["ecommerce-data-bucket", key, version_id]
                content = json.loads(version.content)
                require(not content["is_bad"], f"batch {batch_id} publishes {key}, which is bad")
                kinds = content.get("kinds") or {file["kind"]: content["rows"]}
                files += [File(kind, rows) for kind, rows in kinds.items()]
        self.model.take(files)
        self._facts_equal_the_model(batch_id, state)

    def _facts_equal_the_model(self, batch_id: str, state: Any) -> None:
        standing = {}
        for table, head in state["heads"].items():
            snapshot = self._world.catalog.tables[table].snapshots[int(head)]
            standing[table] = snapshot.rows
            writer = snapshot.writer.get("batch_id"), snapshot.writer.get("epoch")
            newest = batch_id, str(state["epoch"])
            require(writer == newest, f"the head of {table} is {writer}'s, not {newest}'s")
        orders = {
            order_id: (
                order["order_date"],
                order["user_id"],
                int(Decimal(order["total_amount"]) * 100),
                order["status"],
            )
            for order_id, order in self.model.orders.items()
        }
        found = {
            order_id: (order.order_date.isoformat(), *order[1:])
            for order_id, order in standing["orders"].items()
        }
        require(found == orders, f"orders are {found}, the model says {orders}")
        days = {order_id: order.order_date for order_id, order in standing["orders"].items()}
        require(standing["order_days"] == days, "the index is not of the orders")
        lines = {
            pair: [(one.quantity, int(one.unit_price * 100), one.category) for one in each]
            for pair, each in self.model.lines.items()
        }
        found_lines = {
            pair: list(map(tuple, each)) for pair, each in standing["order_items"].items()
        }
        require(found_lines == lines, f"lines are {found_lines}, the model says {lines}")
