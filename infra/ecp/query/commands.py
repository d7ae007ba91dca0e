"""`ecp query`: one read-only SQL query over the published tables."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.kpis.options import From, To, period
from infra.ecp.query.formats import QueryFormat, chosen, deliver
from infra.ecp.target import current_target
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.output import print_table

Sql = Annotated[
    str | None, typer.Argument(metavar="SQL", help="The query; `-` reads it from standard input.")
]
As = Annotated[
    QueryFormat | None,
    typer.Option("--format", help="How to write it; else by the name of --output, else a table."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to this file, whole or not at all."),
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Stop after so long.")
]
Memory = Annotated[
    int, typer.Option("--memory-mb", min=64, metavar="MB", help="Use no more memory than this.")
]
Tables = Annotated[bool, typer.Option("--tables", help="Show the tables and their columns.")]


def query(
    sql: Sql = None,
    format: As = None,
    output: Output = None,
    first: From = None,
    last: To = None,
    timeout: Timeout = 300.0,
    memory_mb: Memory = 1024,
    tables: Tables = False,
) -> None:
    """Ask the published tables by SQL, read-only, on this machine.

    Tables: `order_kpis` and `category_kpis`, in currency units; `orders`, `order_items` and
    `products`, in whole cents, with pseudonyms for users. All are of one epoch: what the last
    batch published. `--tables` shows their columns. The dialect is DuckDB's.

    Only the tables and columns that the query names are read; --from and --to keep it to some days
    (of tables with an `order_date`), which on a long history is much less. A WHERE on the day alone
    filters after reading.

    Example: `ecp query "select order_date, total_revenue from order_kpis order by 1"`

    By month, for a spreadsheet: `ecp query "select date_trunc('month', order_date) as month,
    sum(daily_revenue) as revenue from category_kpis group by 1 order by 1" -o months.csv`

    Orders without lines: `ecp query "from orders anti join order_items using (order_id)" --from
    2025-07-01 --format json`

    Exit codes: 2 when the query is at fault, 3 when it takes too long or too much memory.
    """
    if tables:
        _print_tables()
        return
    if sql is None:
        raise WrongUsage('say what to ask: `ecp query "select ..."`; --tables shows the tables')
    text = sys.stdin.read() if sql == "-" else sql
    wanted = chosen(format, output)
    span = period(first, last, system_clock().date())
    # DuckDB and pyiceberg take half a second to load, which --help should not wait for.
    from infra.ecp.kpis.facts import PublishedFacts
    from infra.ecp.query.engine import Limits, answered
    from infra.ecp.query.statement import read_statement

    statement = read_statement(text)
    published = None
    if statement.columns:
        target = current_target()
        published = PublishedFacts(target.facts, target.client("dynamodb"))
    limits = Limits(timeout, memory_mb, span.first, span.last)
    with answered(statement, published, limits) as reader:
        deliver(reader, wanted, output)


def _print_tables() -> None:
    from infra.ecp.query.statement import TABLES
    from services.transformer.facts.tables import SCHEMAS

    rows = [
        (table, field.name, str(field.field_type))
        for table in TABLES
        for field in SCHEMAS[table].fields
    ]
    print_table("Tables", ("table", "column", "type"), rows)
