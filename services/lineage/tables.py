"""The published tables and their columns, as a reader of lineage sees them.

They are the transformer's (services/transformer/facts/tables.py); a test holds both together. Its
index of orders by day is not among them: nobody else reads it.
"""

from collections.abc import Mapping

_WRITER = {"batch_id": "string", "epoch": "long", "updated_at": "timestamptz"}
_PROVENANCE = {"batch_id": "string", "source_key": "string", "source_line": "long"}

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "order_id": "string",
        "user_id": "string",
        "order_date": "date",
        "total_amount_cents": "long",
        "status": "string",
        **_PROVENANCE,
        "total_from_lines": "boolean",
        "total_extra_cents": "long",
    },
    "order_items": {
        "order_id": "string",
        "product_id": "string",
        "quantity": "long",
        "unit_price_cents": "long",
        "category": "string",
        "order_date": "date",
        **_PROVENANCE,
        "line_id": "string",
        "line_amount_cents": "long",
        "added_to_total_cents": "long",
    },
    "products": {
        "product_id": "string",
        "category": "string",
        "name": "string",
        "price_cents": "long",
        **_PROVENANCE,
    },
    "order_kpis": {
        "order_date": "date",
        "total_orders": "long",
        "total_revenue": "decimal(38, 2)",
        "total_items_sold": "long",
        "return_rate": "decimal(5, 4)",
        "unique_customers": "long",
        "guests": "long",
        "returned_orders": "long",
        **_WRITER,
    },
    "category_kpis": {
        "category": "string",
        "order_date": "date",
        "daily_revenue": "decimal(38, 2)",
        "avg_order_value": "decimal(38, 2)",
        "avg_return_rate": "decimal(5, 4)",
        "orders": "long",
        "returned_orders": "long",
        **_WRITER,
    },
}
"""Type of Iceberg by column, by table."""
