"""The text of an expression as DuckDB's own parser reads it, and what it is when it is no value.

Only the tree goes on from here: what is run later is written anew from it (expressions.py), never
the text itself.
"""

import json
import re
from functools import cache
from typing import Any

import duckdb

from services.runtime.sources.engine import connect

Tree = dict[str, Any]
MAX_SIMPLE_CASES = 2
"""DuckDB copies what stands between CASE and WHEN for each WHEN: nested, that has no end."""
_SIMPLE_CASE = re.compile(r"\bcase\b(?!\s+when\b)", re.IGNORECASE)
_PLAIN = (
    ("from_table", "FROM"),
    ("where_clause", "WHERE"),
    ("group_expressions", "GROUP BY"),
    ("having", "HAVING"),
    ("qualify", "QUALIFY"),
    ("sample", "SAMPLE"),
    ("modifiers", "ORDER BY, LIMIT or DISTINCT"),
)
"""Parts of a statement that an expression alone does not have."""


class BadExpression(Exception):
    """An expression is refused; the text says what, and what to write instead."""


@cache
def parser() -> duckdb.DuckDBPyConnection:
    """The database that parses expressions and tries patterns and zones; use its cursors."""
    return connect(memory_limit_mb=256)


def parse(text: str) -> Tree:
    """The tree of one expression; raises BadExpression when it is more, less or something else."""
    if len(_SIMPLE_CASE.findall(text)) > MAX_SIMPLE_CASES:
        raise BadExpression(
            f"`case a when 'b'` stands here more than {MAX_SIMPLE_CASES} times; "
            "write `case when a = 'b'`"
        )
    with parser().cursor() as cursor:
        try:
            answer = cursor.execute("SELECT json_serialize_sql(?)", [f"SELECT {text}"]).fetchone()
            document = json.loads(answer[0], parse_int=str) if answer else {}
        except (duckdb.Error, RecursionError, ValueError) as error:
            raise BadExpression(f"this cannot be read: {_first_line(error)}") from error
    if document.get("error", True):
        raise BadExpression(_why(str(document.get("error_message", "it is too large"))))
    [*statements] = document["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    if node.get("type") != "SELECT_NODE":
        raise BadExpression("this is more than one expression; write one")
    for part, word in _PLAIN:
        found = node.get(part)
        if found and not (part == "from_table" and found["type"] == "EMPTY"):
            raise BadExpression(f"this is a query ({word}); write one expression over the columns")
    if node["cte_map"].get("map") or len(node["select_list"]) != 1:
        raise BadExpression("these are several values; write one expression")
    [tree] = node["select_list"]
    if tree["alias"]:
        raise BadExpression(
            f"a name behind a value means nothing here; is {_identifier(text)} meant?"
        )
    root: Tree = tree
    return root


def _why(reason: str) -> str:
    if "expression depth" in reason:
        return "this is nested too deep; write it shorter"
    return (
        f"this is no DuckDB expression: {_first_line(reason)}; a column whose name is more than "
        f"one word is written as {_identifier('Order ID')}, a text as 'paid'"
    )


def _identifier(text: str) -> str:
    return '"' + text.strip().replace('"', '""')[:60] + '"'


def _first_line(error: object) -> str:
    return str(error).strip().split("\n")[0][:160]
