"""What waits in the facts: order lines without their order, and lines without their product.

Both have a place of their own there (no order_date, no category), so that nothing else of the
history is read for them. For near misses the known ids are gone through once, whatever waits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from contracts.clock import to_rfc3339
from contracts.layout import explanation_key
from contracts.messages import AlikeId, ListWaiting, MissingId, WaitingFile, WaitingLines
from services.runtime.storage.documents import check_document
from services.transformer.batch.state import Ports
from services.transformer.engines.port import Session
from services.transformer.facts.published import PublishedFacts
from services.transformer.facts.reading import read_ids
from services.transformer.facts.tables import OnDays, Uncategorised
from services.transformer.history.near_misses import NearMiss, near_misses

MOST_IDS = 10_000
"""So many missing ids are listed; the counts are always of all."""
MOST_TOLD, MOST_FILES = 500, 20
"""Ids, and files of an id, that a document tells of."""
COMPARED_AT_ONCE = 1_000_000
"""Known ids that a document's are compared with; `ecp waiting` takes any number."""
COLUMNS = ("order_id", "product_id", "order_date", "batch_id", "source_key", "source_line")

Groups = Mapping[str, Sequence[tuple[str, str, int, int]]]
"""By missing id: batch, key, first line and number of lines of each file that has some."""
Near = Mapping[str, Sequence[NearMiss]]


@dataclass(frozen=True)
class Waiting:
    """What waits by missing id, ids that are alike to it, and how many lines wait at all."""

    orders: Groups
    products: Groups
    near_orders: Near
    near_products: Near
    order_lines: int
    product_lines: int


def read_waiting(published: PublishedFacts, compared_ids: int | None = None) -> Waiting:
    """All that waits.

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
    return Waiting(
        orders,
        products,
        _near_misses(published, "orders", "order_id", orders, compared_ids),
        _near_misses(published, "products", "product_id", products, compared_ids),
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


def list_waiting(
    command: ListWaiting, ports: Ports, look: Callable[[], PublishedFacts], bucket: str
) -> None:
    """Put the document that says what waits; taken twice, it is put twice."""
    found = read_waiting(look(), COMPARED_AT_ONCE)
    orders, products = (
        _told(groups, near)
        for groups, near in (
            (found.orders, found.near_orders),
            (found.products, found.near_products),
        )
    )
    document = WaitingLines(
        question_id=command.question_id,
        listed_at=to_rfc3339(ports.clock()),
        order_lines=found.order_lines,
        product_lines=found.product_lines,
        orders=orders[:MOST_TOLD],
        orders_left_out=max(len(orders) - MOST_TOLD, 0),
        products=products[:MOST_TOLD],
        products_left_out=max(len(products) - MOST_TOLD, 0),
    ).model_dump(mode="json")
    check_document("WaitingLines", document)
    ports.objects.put_json(bucket, explanation_key(command.question_id), document)


def _told(groups: Groups, near: Near) -> list[MissingId]:
    """Those that most lines wait for first."""
    found = [
        MissingId(
            id=missing,
            lines=sum(lines for *_, lines in files),
            files=[
                WaitingFile(batch_id=batch_id, key=key, line=line, lines=lines)
                for batch_id, key, line, lines in files[:MOST_FILES]
            ],
            files_left_out=max(len(files) - MOST_FILES, 0),
            alike=[
                AlikeId(id=one.known, differs_in=one.differs_in) for one in near.get(missing, ())
            ],
        )
        for missing, files in groups.items()
    ]
    return sorted(found, key=lambda one: (-one.lines, one.id))


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
) -> Near:
    if not waiting:
        return {}
    head = published.heads[table]
    known = published.facts.total_rows({table: head})[table]
    if compared_ids is not None and known > compared_ids:
        return {}
    return near_misses(waiting, read_ids(published.facts.table(table), name, head))
