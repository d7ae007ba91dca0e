"""The index `order_days`: on which day each order stands, by a hash of its id.

It is made of `orders`, grows with each batch in the same commit as they do, and is worth nothing by
itself: when it does not count as many orders as there are, or not the same, it is made anew. Orders
with equal hashes make a batch read more files, and change nothing that it does.
"""

from collections.abc import Mapping

from contracts.errors import PipelineError
from services.transformer.engines.port import BranchWrite, Engine, Session
from services.transformer.facts.tables import INDEX, NOTHING, SCHEMAS, Everything, Heads

INDEXED = "select coalesce(sum(change), 0) from order_days"


class IndexOutOfStep(PipelineError):
    """The index does not count as many orders as there are: it was made of others, or not yet."""


def find_old_days(session: Session, heads: Heads) -> None:
    """Make `old_days`: every day on which an order that the batch mentions may stand.

    Raises IndexOutOfStep.
    """
    orders = session.total_rows("orders", heads["orders"])
    session.run("mentioned_orders")
    _load_index(session, heads, is_empty=not orders)
    [(indexed,)] = session.fetch(INDEXED)
    if indexed != orders:
        raise IndexOutOfStep(
            f"the index of the facts counts {indexed} orders where {orders} stand: "
            "`ecp rebuild --index` makes it anew"
        )
    session.run("old_days")


def rebuild_index(
    engine: Engine, heads: Heads, epoch: int, snapshot_properties: dict[str, str]
) -> int:
    """Write the index anew, of the orders at `heads`, to branch `e<epoch>`; its rows."""
    with engine.session() as session:
        _load_orders(session, heads)
        session.run("rebuilt_order_days")
        [(rows,)] = session.fetch("select count(*) from rebuilt_order_days")
        write = BranchWrite(INDEX, "rebuilt_order_days", files=None)
        session.write([write], epoch, snapshot_properties)
    return int(rows)


def index_faults(engine: Engine, heads: Heads) -> int:
    """How many entries of the index are not what the orders give; all, where there is none."""
    with engine.session() as session:
        _load_orders(session, heads)
        if INDEX not in heads:
            return session.total_rows("orders", heads["orders"])
        _load_index(session, heads)
        session.run("rebuilt_order_days")
        session.run("index_faults")
        [(faults,)] = session.fetch("select count(*) from index_faults")
    return int(faults)


def _load_orders(session: Session, heads: Heads) -> None:
    columns = ("order_id", "order_date")
    session.load("indexed_orders", "orders", columns, Everything(), heads["orders"])


def _load_index(session: Session, heads: Mapping[str, int], *, is_empty: bool = False) -> None:
    rows = NOTHING if is_empty else Everything()
    session.load(INDEX, INDEX, SCHEMAS[INDEX].column_names, rows, heads[INDEX])
