"""Sources for tests: the smallest one, with what a test wants to say of it; and blocks of rows."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import yaml

from contracts.sources.model import Source
from contracts.sources.parser import parse_source
from services.runtime.sources.compilation import compile_source
from services.runtime.sources.compiled import CompiledSource
from services.runtime.sources.shaped import Shaped, ValueFault
from services.runtime.sources.shaping import Shaper

ORDERS = {"order_id": "id", "order_date": "bought", "total_amount": "total"}


def a_document(**changes: Any) -> dict[str, Any]:
    """A source of orders; None takes a key away."""
    document = {
        "source": "my-shop",
        "version": 1,
        "title": "My shop",
        "rows": "orders",
        "orders": ORDERS,
    }
    return {key: value for key, value in (document | changes).items() if value is not None}


def a_source(**changes: Any) -> Source:
    return parse_source(yaml.safe_dump(a_document(**changes), sort_keys=False).encode(), "my.yaml")


def a_block(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> pa.Table:
    """The rows as the reading hands them over, each a line of its own, from line 2."""
    given = [*rows]
    columns = [pa.array([row[at] for row in given], pa.string()) for at in range(len(header))]
    texts = pa.array([",".join(cell or "" for cell in row) for row in given], pa.string())
    lines = pa.array(range(2, len(given) + 2), pa.int64())
    return pa.table([*columns, texts, lines], names=[*header, "row_text", "line"])


def shaped(
    source: Source | CompiledSource,
    header: Sequence[str],
    rows: Iterable[Sequence[str | None]],
    lookups: Mapping[str, pa.Table] | None = None,
) -> tuple[Shaped, list[ValueFault]]:
    """What one block of a file gives, and its faults in words."""
    compiled = compile_source(source, header) if isinstance(source, Source) else source
    block = a_block(header, rows)
    with Shaper(compiled, lookups) as shaper:
        found = shaper.shape(block)
        return found, [*shaper.explain(block, found.faults)]


def read(
    source: Source, text: str, lookups: Mapping[str, str] | None = None
) -> tuple[Shaped, list[ValueFault]]:
    """What a file gives whose rows are whole, and its faults in words; `lookups` are texts too."""
    [header, *rows] = _records(source, text)
    tables = {}
    for name, content in (lookups or {}).items():
        [names, *cells] = _records(source, content)
        tables[name] = pa.table(dict(zip(names, zip(*cells, strict=True), strict=True)))
    return shaped(source, header, rows, tables)


def rows_of(found: Shaped, kind: Any) -> list[dict[str, Any]]:
    """The rows of a kind, with what they say and no more."""
    rows = found.kinds[kind].drop_columns(["row", "line"]).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def left_out(found: Shaped) -> list[tuple[int, str]]:
    """Each row that is left out (from 0), and the reason."""
    return [(row["row"], row["reason"]) for row in found.left_out.to_pylist()]


def _records(source: Source, text: str) -> list[list[str]]:
    quoting = csv.QUOTE_NONE if source.file.quoting == "none" else csv.QUOTE_MINIMAL
    lines = text.splitlines(keepends=True)
    return [*csv.reader(lines, delimiter=source.file.delimiter, quoting=quoting)]


def values_of(expression: str, texts: Iterable[str | None], **file: Any) -> list[str | None]:
    """What an expression over column `a` gives for each text, as a text."""
    source = a_source(
        rows="products", orders=None, products={"product_id": "a", "name": expression}, file=file
    )
    return [
        row["name"]
        for row in shaped(source, ["a"], [[text] for text in texts])[0]
        .kinds["products"]
        .to_pylist()
    ]
