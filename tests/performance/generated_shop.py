"""A shop's staged Parquet by DuckDB, quicker than through CSV and the validator."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from tests.performance.figures import LINES_PER_ORDER
from tests.performance.staged_batches import Staged

FIRST_DAY = date(2023, 7, 1)
RANDOM, SEQUENTIAL = "md5(cast(n as varchar))", "format('{:012d}', n)"
PRODUCTS = 200
ORDERS = """
select {id} as order_id, md5(cast(n % 5000 as varchar)) as user_id,
       date '{first_day}' + cast((n - {first}) * {days} // {size} as integer) as order_date,
       cast(1000 + n % 7 as bigint) as total_amount_cents,
       case when n % 20 = 0 then 'returned' else 'completed' end as status,
       n - {first} + 2 as source_line,
       cast(null as boolean) as total_from_lines, cast(null as bigint) as total_extra_cents
from range({first}, {first} + {size}) as numbers(n)
"""
LINES = """
select {id} as order_id, 'P' || (n * 7 + part) % {products} as product_id,
       cast(1 + part as bigint) as quantity, cast(250 as bigint) as unit_price_cents,
       (n - {first}) * {lines} + part + 2 as source_line, cast(null as varchar) as line_id,
       cast(250 * (1 + part) as bigint) as line_amount_cents,
       cast(null as bigint) as added_to_total_cents
from range({first}, {first} + {size}) as numbers(n), range({lines}) as parts(part)
"""
PRODUCT_ROWS = """
select 'P' || n as product_id, 'Category ' || n % 12 as category, 'Thing ' || n as name,
       cast(250 as bigint) as price_cents, n + 2 as source_line
from range({products}) as numbers(n)
"""


@dataclass(frozen=True)
class Shop:
    """So many orders over so many days, numbered from `first`; ids made of the numbers."""

    size: int
    first: int = 0
    id: str = SEQUENTIAL
    first_day: date = FIRST_DAY
    days: int = 1
    also: int | None = None
    """The number of an order of before, which comes again on the first day of all."""

    def staged(self, folder: Path) -> Staged:
        """As the validator would leave it, and quicker."""
        folder.mkdir(parents=True)
        values = {**self.__dict__, "products": PRODUCTS, "lines": LINES_PER_ORDER}
        orders = ORDERS.format(**values)
        if self.also is not None:
            late = ORDERS.format(**{**values, "first": self.also, "size": 1})
            orders += f"union all select * replace (date '{FIRST_DAY}' as order_date) from ({late})"
        found = {"orders": orders, "order_items": LINES.format(**values)}
        found["products"] = PRODUCT_ROWS.format(**values)
        with duckdb.connect(":memory:") as database:
            for kind, rows in found.items():
                database.execute(f"copy ({rows}) to '{folder / kind}.parquet' (compression zstd)")
        return {kind: folder / f"{kind}.parquet" for kind in found}
