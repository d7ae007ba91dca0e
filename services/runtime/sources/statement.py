"""The one query that a block of rows goes through, written from a compiled source.

Stages follow each other as named queries: the cells, what is carried down, what calls give (those
that need no other call first), which rows are left out and what each gives, the position within the
order, the values.
"""

from collections.abc import Iterator

from services.runtime.sources.compiled import CompiledSource, KindOutput
from services.runtime.sources.scope import Call
from services.runtime.sources.values import Value, first_failure

ROWS = "block"
"""The table of a block's cells: `n` counts its rows from 0, `c<place>` are texts."""
CARRIED = "carried_before"
"""First values of each group in the blocks before: `k` and `v<place>`."""
POSITIONS = "lines_before"
"""Lines of each order in the blocks before: `h`, the hash of its id, and how many `lines`."""


def lookup_table(name: str) -> str:
    """The table of a lookup: `k` and `v`."""
    return f"lookup_{name}"


def shaping_query(compiled: CompiledSource) -> str:
    """All that is made of a block, one row for each of its rows, in their order.

    Columns: `n`, `reason` (its number), `unsure` (the call for which it cannot be judged), and for
    each kind `gives_<kind>`, `<kind>.<column>` (also of rows that give none: what columns have in
    common is worked out once) and `<kind>.<column>?` (the call that failed), where it leaves rows
    out also `reason_<kind>`; `of_order`, the id of its order; `order_hash` where positions are
    counted.
    """
    stages = _Stages()
    if compiled.carried:
        stages.add(_carried(stages.last, *compiled.carried))
    for level in sorted({call.level for call in compiled.calls}):
        calls = [call for call in compiled.calls if call.level == level]
        stages.add_columns([f"{call.argument} AS a{call.number}" for call in calls])
        stages.add(_results(stages.last, calls))
    stages.add_columns([*_reasons(compiled.leave_out, "true", "")])
    stages.add_columns([f"{_stated(kind)} AS states_{kind.kind}" for kind in compiled.kinds])
    stages.add_columns(
        [
            column
            for kind in compiled.kinds
            for column in _reasons(kind.leave_out, f"states_{kind.kind}", f"_{kind.kind}")
        ]
    )
    stages.add_columns([_gives(kind) for kind in compiled.kinds])
    if compiled.needs_position:
        [items] = [kind for kind in compiled.kinds if kind.kind == "order_items"]
        hashed = f"CASE WHEN gives_order_items THEN hash({items.order_id}) END AS order_hash"
        stages.add_columns([hashed])
        stages.add(_position(stages.last))
    return (
        f"WITH {stages.written} SELECT {', '.join(_final(compiled))} FROM {stages.last} ORDER BY n"
    )


def carried_update(key: str, places: tuple[int, ...]) -> str:
    """The groups' first values, with this block's rows after those of the blocks before."""
    own = ", ".join(f"c{place} AS v{place}" for place in places)
    before = ", ".join(f"v{place}" for place in places)
    first = ", ".join(f"arg_min(v{place}, n) AS v{place}" for place in places)
    return (
        f"CREATE OR REPLACE TEMP TABLE {CARRIED} AS SELECT k, {first} FROM ("
        f"SELECT k, -1 AS n, {before} FROM {CARRIED} "
        f"UNION ALL SELECT {key} AS k, n, {own} FROM {ROWS}) WHERE k IS NOT NULL GROUP BY k"
    )


class _Stages:
    """Named queries, each over the one before."""

    def __init__(self) -> None:
        self._queries: list[str] = []

    @property
    def last(self) -> str:
        return f"s{len(self._queries) - 1}" if self._queries else ROWS

    @property
    def written(self) -> str:
        return ", ".join(f"s{number} AS ({query})" for number, query in enumerate(self._queries))

    def add(self, query: str) -> None:
        self._queries.append(query)

    def add_columns(self, columns: list[str]) -> None:
        self.add(f"SELECT *, {', '.join(columns)} FROM {self.last}")


def _carried(rows: str, key: str, places: tuple[int, ...]) -> str:
    """A cell's own value, else the first of its group up to here."""
    filled = ", ".join(
        f"coalesce(r.c{place}, f.v{place}, CASE WHEN g.n{place} < r.n THEN g.v{place} END) "
        f"AS c{place}"
        for place in places
    )
    first = ", ".join(
        f"arg_min(c{place}, n) AS v{place}, min(n) FILTER (c{place} IS NOT NULL) AS n{place}"
        for place in places
    )
    return (
        f"SELECT r.* EXCLUDE (k) REPLACE ({filled}) FROM (SELECT *, {key} AS k FROM {rows}) AS r "
        f"LEFT JOIN {CARRIED} AS f ON r.k = f.k "
        f"LEFT JOIN (SELECT {key} AS k, {first} FROM {rows} GROUP BY ALL) AS g ON r.k = g.k"
    )


def _results(rows: str, calls: list[Call]) -> str:
    results, joins = [], []
    for call in calls:
        if call.lookup is None:
            results.append(f"{call.result} AS m{call.number}")
        else:
            table, alias = lookup_table(call.lookup), f"l{call.number}"
            results.append(f"{alias}.{call.result} AS m{call.number}")
            joins.append(f" LEFT JOIN {table} AS {alias} ON r.a{call.number} = {alias}.k")
    return f"SELECT r.*, {', '.join(results)} FROM {rows} AS r{''.join(joins)}"


def _position(rows: str) -> str:
    earlier = (
        f"SELECT h, sum(lines) AS lines FROM {POSITIONS} "
        f"WHERE h IN (SELECT order_hash FROM {rows}) GROUP BY h"
    )
    return (
        "SELECT r.*, coalesce(e.lines, 0) + count(*) OVER (PARTITION BY order_hash ORDER BY n "
        f"ROWS UNBOUNDED PRECEDING) AS position "
        f"FROM {rows} AS r LEFT JOIN ({earlier}) AS e ON r.order_hash = e.h"
    )


def _reasons(leave_out: dict[str, Value], of_rows: str, suffix: str) -> Iterator[str]:
    conditions = [
        f"WHEN {value.sql} THEN {number}" for number, value in enumerate(leave_out.values())
    ]
    reason = f"CASE WHEN {of_rows} THEN CASE {' '.join(conditions)} END END"
    reason = reason if conditions else "NULL"
    yield f"CAST({reason} AS SMALLINT) AS reason{suffix}"
    failure = first_failure(*(value.failure for value in leave_out.values()))
    unsure = f"CASE WHEN {of_rows} AND ({reason}) IS NULL THEN {failure} END" if failure else "NULL"
    yield f"CAST({unsure} AS SMALLINT) AS unsure{suffix}"


def _stated(kind: KindOutput) -> str:
    where = f" AND coalesce({kind.where.sql}, false)" if kind.where else ""
    return f"(reason IS NULL AND unsure IS NULL{where})"


def _gives(kind: KindOutput) -> str:
    name = kind.kind
    return f"(states_{name} AND reason_{name} IS NULL AND unsure_{name} IS NULL) AS gives_{name}"


def _final(compiled: CompiledSource) -> Iterator[str]:
    yield from ("n", "reason", "unsure")
    ids = [
        output.sql
        for kind in reversed(compiled.kinds)
        for output in kind.outputs
        if output.column == "order_id"
    ]
    yield f"coalesce({', '.join(['NULL', *ids])}) AS of_order"
    for kind in compiled.kinds:
        gives = f"gives_{kind.kind}"
        yield gives
        if kind.leave_out:
            yield f"reason_{kind.kind}"
            yield f'unsure_{kind.kind} AS "{kind.kind}.leave_out?"'
        if kind.where and kind.where.failure:
            judged = f"NOT states_{kind.kind} AND reason IS NULL AND unsure IS NULL"
            yield _failure(kind, "where", judged, kind.where.failure)
        for output in kind.outputs:
            yield f'{output.sql} AS "{kind.kind}.{output.column}"'
            if output.failure:
                yield _failure(kind, output.column, gives, output.failure)
    if compiled.needs_position:
        yield "order_hash"


def _failure(kind: KindOutput, column: str, condition: str, failure: str) -> str:
    return f'CAST(CASE WHEN {condition} THEN {failure} END AS SMALLINT) AS "{kind.kind}.{column}?"'
