"""The query of one step over its rows, and the SQL of what is wanted of a compiled source."""

from collections.abc import Iterator, Sequence

from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.scope import Call
from services.runtime.sources.values import Value

ROWS = "block"
"""The table of a step: its columns, and `n`, which counts its rows from 0."""
CARRIED = "carried_before"
"""First values of groups in the blocks before: `place` of the column, the group's key `k`, `v`."""
POSITIONS = "lines_before"
"""Lines of each order in the blocks before: `h`, the hash of its id, and how many `lines`."""
ASKED = "asked"
"""What is asked of the blocks before: `n` and a key."""


def lookup_table(name: str) -> str:
    """The table of a lookup: `k` and `v`."""
    return f"lookup_{name}"


def query(calls: Sequence[Call], gives: Sequence[str]) -> str:
    """Some SQL over the rows of a step, in their order; calls stand before those that need them."""
    stages: list[str] = []

    def last() -> str:
        return f"s{len(stages) - 1}" if stages else ROWS

    for level in sorted({call.level for call in calls}):
        made = [call for call in calls if call.level == level]
        arguments = ", ".join(f"{call.argument} AS a{call.number}" for call in made)
        stages.append(f"SELECT *, {arguments} FROM {last()}")
        stages.append(_results(last(), made))
        failures = ", ".join(_failure(call.number) for call in made)
        stages.append(f"SELECT *, {failures} FROM {last()}")
    written = ", ".join(f"s{number} AS ({stage})" for number, stage in enumerate(stages))
    values = ", ".join(f"{sql} AS x{number}" for number, sql in enumerate(gives))
    order = " ORDER BY n" if any(call.lookup for call in calls) else ""
    return f"{f'WITH {written} ' if stages else ''}SELECT {values} FROM {last()}{order}"


def _results(rows: str, calls: Sequence[Call]) -> str:
    results, joins = [], []
    for call in calls:
        if call.lookup is None:
            results.append(f"{call.result} AS m{call.number}")
        else:
            table, alias = lookup_table(call.lookup), f"l{call.number}"
            results.append(f"{alias}.{call.result} AS m{call.number}")
            joins.append(f" LEFT JOIN {table} AS {alias} ON r.a{call.number} = {alias}.k")
    return f"SELECT r.*, {', '.join(results)} FROM {rows} AS r{''.join(joins)}"


def _failure(number: int) -> str:
    return f"CASE WHEN m{number} IS NULL AND a{number} IS NOT NULL THEN {number} END AS f{number}"


def wanted(compiled: CompiledSource) -> Iterator[str]:
    """All that is worked out of a block, as SQL."""
    yield from _judged(*compiled.leave_out.values())
    for kind in compiled.kinds:
        yield from _judged(*kind.leave_out.values(), *([kind.where] if kind.where else []))
        for output in kind.outputs:
            yield output.sql
            if output.failure:
                yield output.failure
    if compiled.needs_position:
        yield order_hash(compiled)


def _judged(*conditions: Value) -> Iterator[str]:
    for value in conditions:
        yield condition(value)
        if value.failure:
            yield value.failure


def condition(value: Value) -> str:
    """Whether it holds."""
    return f"CAST({value.sql} AS BOOLEAN)"


def order_hash(compiled: CompiledSource) -> str:
    """What the lines of an order are counted by."""
    [items] = [kind for kind in compiled.kinds if kind.kind == "order_items"]
    return f"hash({items.order_id})"


def carried_asked() -> str:
    """The values that groups had in the blocks before: `n` of what is asked, `v`."""
    return f"SELECT n, v FROM {ASKED} JOIN {CARRIED} USING (place, k)"


def lines_asked() -> str:
    """How many lines orders had in the blocks before: `n` of what is asked, `lines`."""
    return (
        f"SELECT n, CAST(sum(lines) AS BIGINT) AS lines FROM {ASKED} JOIN {POSITIONS} USING (h) "
        "GROUP BY n"
    )
