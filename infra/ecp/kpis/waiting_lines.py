"""What waits in the facts (services/transformer/history/waiting.py), with since when it does.

When a batch was published, and what its files were read by, its events and manifest say.
"""

from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import Message
from contracts.layout import source_of
from infra.ecp.batches.file_sources import sources_of_events
from infra.ecp.kpis.facts import PublishedFacts
from services.runtime.event_store import EventStore
from services.runtime.storage.documents import ObjectStore
from services.transformer.history import waiting
from services.transformer.history.near_misses import NearMiss


@dataclass(frozen=True)
class Stated:
    """Lines of one file that wait for one id: the first of them, and since when."""

    batch_id: str
    key: str
    line: int
    lines: int
    since: str | None
    source: str | None = None
    """What the file was read by; None for a plain one."""


@dataclass(frozen=True)
class Missing:
    """An id that has not come, what waits for it (oldest first), and ids that are alike."""

    id: str
    stated: tuple[Stated, ...]
    near: tuple[NearMiss, ...] = ()

    @property
    def lines(self) -> int:
        """How many order lines wait for it."""
        return sum(each.lines for each in self.stated)

    @property
    def since(self) -> str:
        """When the first of them was published; empty when its batch's events are gone."""
        return self.stated[0].since or ""


@dataclass(frozen=True)
class Waiting:
    """Order lines that wait for orders count nowhere; those without product count as Unknown."""

    orders: tuple[Missing, ...] = ()
    products: tuple[Missing, ...] = ()
    order_lines: int = 0
    product_lines: int = 0

    def as_document(self) -> dict[str, Any]:
        """What `ecp waiting --json` prints."""
        return {
            "order_lines_without_order": self.order_lines,
            "order_lines_without_product": self.product_lines,
            "orders": [_as_document(each, "order_id") for each in self.orders],
            "products": [_as_document(each, "product_id") for each in self.products],
        }


def read_waiting(
    published: PublishedFacts,
    store: EventStore,
    objects: ObjectStore,
    *,
    compared_ids: int | None = None,
) -> Waiting:
    """All that waits, oldest first.

    No near misses are looked for among more known ids than `compared_ids`; None: among any number.
    """
    found = waiting.read_waiting(published, compared_ids)
    batches = _Batches(store, objects)
    return Waiting(
        orders=_missing(found.orders, found.near_orders, batches),
        products=_missing(found.products, found.near_products, batches),
        order_lines=found.order_lines,
        product_lines=found.product_lines,
    )


def _missing(
    groups: waiting.Groups, near: waiting.Near, batches: "_Batches"
) -> tuple[Missing, ...]:
    found = [
        Missing(
            id=missing,
            stated=tuple(
                sorted(
                    (
                        batches.stated(batch_id, key, line, lines)
                        for batch_id, key, line, lines in files
                    ),
                    key=lambda each: (each.since or "", each.key, each.line),
                )
            ),
            near=tuple(near.get(missing, ())),
        )
        for missing, files in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.since, each.id)))


@dataclass
class _Batches:
    """When batches were published and what their files were read by; each is asked for once."""

    _store: EventStore
    _objects: ObjectStore
    _events: dict[str, list[Message]] = field(default_factory=dict)
    _sources: dict[str, dict[str, str]] = field(default_factory=dict)

    def stated(self, batch_id: str, key: str, line: int, lines: int) -> Stated:
        if batch_id not in self._events:
            self._events[batch_id] = list(self._store.read_correlated(batch_id))
        events = self._events[batch_id]
        published = (e.occurred_at for e in events if e.event_type == "KpisPublished")
        source = self._source(batch_id, key)
        return Stated(batch_id, key, line, lines, next(published, None), source)

    def _source(self, batch_id: str, key: str) -> str | None:
        """By the batch's manifest; by the folder of the file alone once that has expired."""
        if (name := source_of(key)) is None:
            return None
        if batch_id not in self._sources:
            events = self._events[batch_id]
            self._sources[batch_id] = sources_of_events(events, self._objects)
        return self._sources[batch_id].get(key, name)


def _as_document(missing: Missing, name: str) -> dict[str, Any]:
    return {
        name: missing.id,
        "lines": missing.lines,
        "since": missing.since or None,
        "stated": [
            {
                "batch_id": each.batch_id,
                "key": each.key,
                "line": each.line,
                "lines": each.lines,
                "since": each.since,
                "source": each.source,
            }
            for each in missing.stated
        ],
        "near": [{"id": each.known, "differs_in": each.differs_in} for each in missing.near],
    }
