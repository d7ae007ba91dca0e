"""What may be asked: one query over the published tables, judged by DuckDB's own parse tree."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.near_names import nearest
from services.runtime.sources.engine import connect
from services.transformer.facts.tables import KPI_TABLES, SCHEMAS

TABLES = (*KPI_TABLES, "orders", "order_items", "products")
FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
"""Table functions that reach nothing outside."""
ALL_COLUMNS = frozenset({"STAR", "POSITIONAL_REFERENCE"})
MAX_CHARACTERS = 100_000
Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Statement:
    """The query as it was written, and what of the tables it may look at."""

    sql: str
    columns: Mapping[str, tuple[str, ...]]
    """By table, in the table's order; a few more than needed at most."""


def read_statement(sql: str) -> Statement:
    """Raises WrongUsage unless it is one query, over these tables alone."""
    if len(sql) > MAX_CHARACTERS:
        raise WrongUsage(f"the query has {len(sql):,} characters; {MAX_CHARACTERS:,} at most")
    tree = _parsed(sql)
    nodes = [node for node in _nodes(tree) if isinstance(node, Mapping)]
    named = {entry["key"].lower() for node in nodes for entry in _ctes(node)}
    asked = {table for node in nodes if (table := _table_of(node, named)) is not None}
    for node in nodes:
        _refuse_what_reaches_out(node)
    texts = {one.lower() for one in _nodes(tree) if isinstance(one, str)}
    every = any(_takes_all(node, asked) for node in nodes)
    return Statement(sql, {name: _columns(name, texts, every=every) for name in sorted(asked)})


def _parsed(sql: str) -> Tree:
    with connect() as database:
        [(text,)] = database.execute(
            "select json_serialize_sql(cast(? as varchar))", [sql]
        ).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"]:
        if tree["error_type"] == "not implemented":
            raise WrongUsage(
                "a query begins with SELECT, WITH, FROM or VALUES and changes nothing; "
                "`ecp query --tables` shows what it can read"
            )
        raise WrongUsage(f"this is no SQL: {one_line(tree['error_message'])}")
    if len(tree["statements"]) != 1:
        raise WrongUsage(
            "there is no query in this" if not tree["statements"] else "ask one query at a time"
        )
    return tree


def _nodes(tree: Any) -> Iterator[Any]:
    """Every object, list and text of a tree, however deep."""
    stack = [tree]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Mapping):
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def _ctes(node: Tree) -> list[Any]:
    found: Any = node.get("cte_map") or {}
    return list(found.get("map", ()))


def _table_of(node: Tree, named: set[str]) -> str | None:
    """The table of ours that a node reads; raises WrongUsage for one that is nobody's."""
    if node.get("type") != "BASE_TABLE":
        return None
    name = node["table_name"].lower()
    elsewhere = node.get("catalog_name") or node.get("schema_name") not in ("", "main", None)
    if not elsewhere:
        if name in TABLES and name not in named:
            return str(name)
        if name in named:
            return None
    meant = nearest(name, TABLES)
    hint = f"did you mean {meant}?" if meant else f"there are {', '.join(TABLES)}"
    raise WrongUsage(f"there is no table {node['table_name']} to query; {hint}")


def _refuse_what_reaches_out(node: Tree) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        function = (node.get("function") or {}).get("function_name", "")
        if function.lower() not in FUNCTIONS:
            raise WrongUsage(
                f"{function}() is not for `ecp query`: it reads the published tables alone"
            )
    if kind == "SHOW_REF" and node.get("query") is None:
        raise WrongUsage("`ecp query --tables` shows the tables and their columns")
    if node.get("class") == "PARAMETER":
        raise WrongUsage("there is nothing to put in the place of a parameter; write the value")


def _takes_all(node: Tree, asked: set[str]) -> bool:
    """Whether columns may be meant that the text does not name."""
    if node.get("class") in ALL_COLUMNS or node.get("ref_type") == "NATURAL":
        return True
    if node.get("type") in ("SHOW_REF", "PIVOT") or node.get("column_name_alias"):
        return True
    names = [name.lower() for name in node.get("column_names") or ()]
    return node.get("class") == "COLUMN_REF" and len(names) == 1 and names[0] in asked


def _columns(table: str, texts: set[str], *, every: bool) -> tuple[str, ...]:
    names = SCHEMAS[table].column_names
    wanted = tuple(name for name in names if every or name in texts)
    return wanted or tuple(names[:1])


def one_line(said: str) -> str:
    """What DuckDB says, without the picture of the place below it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("LINE ", "^"))]
    return " ".join(told)
