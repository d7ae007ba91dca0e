"""Patterns: regular expressions that end in time, and LIKE written as one.

DuckDB matches regular expressions with RE2, whose time is the text's length times the pattern's
size; so the size is what is limited here. LIKE of several `%` has no such bound in DuckDB: it is
run as a regular expression too.
"""

import re

import duckdb

from services.runtime.sources.syntax import BadExpression, parser

MAX_SIZE = 5_000
"""A pattern's characters, once every {n} is written out."""
_REPEATED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
OPTIONS = frozenset("cilmsngp")


def checked_pattern(pattern: str) -> str:
    """A regular expression that RE2 takes and that is small enough; raises BadExpression."""
    size = len(pattern)
    for low, high in _REPEATED.findall(pattern):
        size *= max(int(low[:6]), int(high[:6] or 0), 1)
    if size > MAX_SIZE:
        raise BadExpression(
            f"the pattern {pattern[:40]!r} is too large; write it shorter or repeat less"
        )
    try:
        with parser().cursor() as cursor:
            cursor.execute("SELECT regexp_matches('', ?)", [pattern]).fetchone()
    except duckdb.Error as error:
        why = str(error).split("\n")[0].removeprefix("Invalid Input Error: ")
        raise BadExpression(f"{pattern[:40]!r} is no regular expression: {why}") from error
    return pattern


def like_pattern(pattern: str, *, is_case_insensitive: bool, escape: str = "") -> str:
    """A LIKE pattern as the regular expression that matches the whole text."""
    written = ""
    rest = iter(pattern)
    for character in rest:
        if escape and character == escape:
            written += re.escape(next(rest, ""))
        elif character in "%_":
            written += ".*" if character == "%" else "."
        else:
            written += re.escape(character)
    return f"(?s{'i' if is_case_insensitive else ''}){written}"
