"""What waits in the facts: order lines without their order, and lines without their product.

Both have a place of their own there (no order_date, no category), so that nothing else of the
history is read for them. For near misses the known ids are gone through once, whatever waits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import Message
from contracts.layout import source_of
from infra.ecp.batches.file_sources import sources_of_events
from infra.ecp.kpis.facts import PublishedFacts
from infra.ecp.kpis.near_misses import NearMiss, near_misses
from services.runtime.event_store import EventStore
from services.runtime.storage.documents import ObjectStore
from services.transformer.engines.port import Session
from services.transformer.facts.reading import read_ids
from services.transformer.facts.tables import OnDays, Uncategorised

MOST_IDS = 10_000
"""So many missing ids are listed; the counts are always of all."""
COLUMNS = ("order_id", "product_id", "order_date", "batch_id", "source_key", "source_line")


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
    head = published.heads["order_items"]
    with published.engine.session() as session:
        for_orders = OnDays(frozenset(), waiting=True)
        session.load("waiting", "order_items", COLUMNS, for_orders, head)
        session.load("uncategorised", "order_items", COLUMNS, Uncategorised(), head)
        orders = _groups(session, "order_id", "waiting")
        products = _groups(session, "product_id", "uncategorised")
        counts = session.fetch(
            "select (select count(*) from waiting), (select count(*) from uncategorised)"
        )
    batches = _Batches(store, objects)
    near = {
        table: _near_misses(published, table, name, groups, compared_ids)
        for table, name, groups in (
            ("orders", "order_id", orders),
            ("products", "product_id", products),
        )
    }
    return Waiting(
        orders=_missing(orders, near["orders"], batches),
        products=_missing(products, near["products"], batches),
        order_lines=counts[0][0],
        product_lines=counts[0][1],
    )


def unknown_products(published: PublishedFacts, day: str | None = None) -> list[str]:
    """The products that have not come of the lines that count as Unknown, on a day or at all."""
    on_day = f" and order_date = date '{day}'" if day else ""
    with published.engine.session() as session:
        columns = ("product_id", "order_date")
        head = published.heads["order_items"]
        session.load("uncategorised", "order_items", columns, Uncategorised(), head)
        found = session.fetch(
            "select distinct product_id from uncategorised "
            f"where order_date is not null{on_day} order by product_id limit {MOST_IDS}"
        )
    return [product_id for (product_id,) in found]


Groups = Mapping[str, Sequence[tuple[str, str, int, int]]]
"""By missing id: batch, key, first line and number of lines of each file that has some."""


def _groups(session: Session, name: str, relation: str) -> Groups:
    found: dict[str, list[tuple[str, str, int, int]]] = {}
    for missing, *stated in session.fetch(
        f"select {name}, batch_id, source_key, min(source_line), count(*) from {relation} "
        f"where {name} in (select {name} from {relation} group by {name} "
        f"order by {name} limit {MOST_IDS}) "
        "group by 1, 2, 3 order by 1, 2, 3"
    ):
        found.setdefault(missing, []).append(tuple(stated))
    return found


def _near_misses(
    published: PublishedFacts, table: str, name: str, waiting: Groups, compared_ids: int | None
) -> Mapping[str, Sequence[NearMiss]]:
    if not waiting:
        return {}
    head = published.heads[table]
    known = published.facts.total_rows({table: head})[table]
    if compared_ids is not None and known > compared_ids:
        return {}
    return near_misses(waiting, read_ids(published.facts.table(table), name, head))


def _missing(
    groups: Groups, near: Mapping[str, Sequence[NearMiss]], batches: "_Batches"
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
