"""The rows that stand in the facts, read from their Iceberg tables."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from services.validator.quarantine.current_rows import (
    IDENTITY_COLUMNS,
    PROVENANCE,
    CurrentRow,
    Identity,
)


def glue_catalog(region: str, endpoint: str | None) -> Any:
    """The catalog of the facts tables, for reading, by this process's own credentials.

    pyiceberg takes half a second to load, which files that are validated should not wait for.
    """
    from pyiceberg.catalog import load_catalog

    from services.runtime.storage.aws import for_threads

    settings = {"type": "glue", "glue.region": region, "s3.region": region}
    if endpoint:
        settings |= {"glue.endpoint": endpoint, "s3.endpoint": endpoint}
    catalog = load_catalog("facts", **settings)
    for_threads(catalog.glue)
    return catalog


IDS_IN_ONE_SCAN = 200
"""Up to so many ids, Iceberg leaves out data files by their bounds."""


def current_rows(
    catalog: Any, database: str, kind: str, identities: Collection[Identity]
) -> dict[Identity, list[CurrentRow]]:
    """The rows that these identities have in the facts; those without any are left out.

    An identity may be the order_id alone, for all lines of the order. Rows go by their whole one.
    """
    from pyiceberg.exceptions import NoSuchTableError

    try:
        table = catalog.load_table(f"{database}.{kind}")
    except NoSuchTableError:
        return {}
    wanted, found = set(identities), dict[Identity, list[CurrentRow]]()
    for row in _scan(table, kind, {identity[0] for identity in wanted}):
        identity = tuple(row[name] for name in IDENTITY_COLUMNS[kind])
        if identity in wanted or identity[:1] in wanted:
            found.setdefault(identity, []).append(
                CurrentRow(
                    identity,
                    **{name: row[name] for name in PROVENANCE},
                    quantity=row.get("quantity"),
                    unit_price_cents=row.get("unit_price_cents"),
                    line_id=row.get("line_id"),
                    line_amount_cents=row.get("line_amount_cents"),
                )
            )
    return found


def stated_products(
    catalog: Any, database: str, product_ids: Collection[str]
) -> dict[str, tuple[Any, ...]]:
    """Category, name and price in cents of products that stand in the facts, by product_id."""
    from pyiceberg.exceptions import NoSuchTableError
    from pyiceberg.expressions import In

    try:
        table = catalog.load_table(f"{database}.products")
    except NoSuchTableError:
        return {}
    columns, every = ("product_id", "category", "name", "price_cents"), sorted(product_ids)
    found: dict[str, tuple[Any, ...]] = {}
    for start in range(0, len(every), IDS_IN_ONE_SCAN):
        among = In(columns[0], every[start : start + IDS_IN_ONE_SCAN])
        rows = table.scan(row_filter=among, selected_fields=columns).to_arrow()
        values = zip(*(rows[name].to_pylist() for name in columns), strict=True)
        found |= {product_id: tuple(rest) for product_id, *rest in values}
    return found


def _scan(table: Any, kind: str, first_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    from pyiceberg.expressions import In

    columns = (*IDENTITY_COLUMNS[kind], *PROVENANCE)
    if kind == "order_items":
        # Tables that are older than the last two get them with their next batch.
        wanted = ("quantity", "unit_price_cents", "line_id", "line_amount_cents")
        columns += tuple(name for name in wanted if name in table.schema().column_names)
    every = sorted(first_ids)
    for start in range(0, len(every), IDS_IN_ONE_SCAN):
        among = In(IDENTITY_COLUMNS[kind][0], every[start : start + IDS_IN_ONE_SCAN])
        yield from table.scan(row_filter=among, selected_fields=columns).to_arrow().to_pylist()
