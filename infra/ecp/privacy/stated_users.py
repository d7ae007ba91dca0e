"""How a user stands in exports whose source makes the id by an expression.

The expressions are asked here, by every version of the source that there is: who rewrites the files
gets the texts of the columns, and needs no engine.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts.errors import DataRejected, VersionGone
from contracts.layout import QUARANTINE_PREFIX, source_of, stored_input
from contracts.messages import ExportColumns, ObjectVersion
from contracts.sources.model import Expression, Source
from contracts.sources.model import Mapping as KindMapping
from services.runtime.csv_files.bad_file import BadFile
from services.runtime.csv_files.texts import plain_text
from services.runtime.privacy.erasure import Unsearchable, Versions, fetched, text_of
from services.runtime.privacy.export_ids import StatedUsers
from services.runtime.privacy.user_ids import Replacement

ROWS_AT_ONCE = 20_000
NOBODY = Replacement("-", "-")
Said = tuple[tuple[str, str], ...]
"""Columns and their texts."""
_COLUMN = re.compile(r'"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_]*')


def said_as(
    user_id: str,
    objects: Iterable[ObjectVersion],
    versions: Versions,
    sources: Callable[[str], Sequence[Source]],
    lookups: Callable[[Source], Mapping[str, Any]],
) -> Iterator[dict[str, str]]:
    """The texts of user columns in these objects of which a version of their source makes the id.

    `lookups` gives what a source looks up, as tables of text. An object that is gone, or is no
    text, says nothing: erasing tells of it.
    """
    stated: dict[str, set[Said]] = {}

    @cache
    def makers(name: str) -> list[Source]:
        return [*filter(is_made, sources(name))]

    for version in objects:
        try:
            name, texts = _stated(version, versions, makers)
        except (BadFile, Unsearchable, VersionGone):
            continue
        stated.setdefault(name, set()).update(texts)
    wanted = plain_text(user_id).casefold()
    for name, texts in stated.items():
        found: dict[Said, None] = {}
        for source in makers(name) if texts else ():
            for said, made_id in made_ids(source, sorted(texts), lookups(source)):
                if made_id is not None and plain_text(made_id).casefold() == wanted:
                    found[said] = None
        yield from map(dict, found)


def is_made(source: Source) -> bool:
    """Whether the user id is no column as it stands."""
    expression = _user_id(source)
    return expression is not None and not _COLUMN.fullmatch(expression.text)


def made_ids(
    source: Source, stated: Sequence[Said], lookups: Mapping[str, Any]
) -> Iterator[tuple[Said, str | None]]:
    """What the source makes of texts of its user columns; of a header that lacks one, nothing."""
    import pyarrow as pa

    from services.runtime.sources.compilation import compile_source
    from services.runtime.sources.shaping import Shaper

    expression = _user_id(source)
    if expression is None:
        return
    asked = {name: one for name, one in source.lookups.items() if f"'{name}'" in expression.text}
    only = replace(
        source,
        rows="orders", carried_down=None, leave_out={}, lookups=asked, explode=None,
        mappings=(KindMapping("orders", {"order_id": expression}, None, {}),),
    )  # fmt: skip
    headers: dict[tuple[str, ...], list[Said]] = {}
    for said in stated:
        headers.setdefault(tuple(name for name, _ in said), []).append(said)
    for header, rows in headers.items():
        try:
            compiled = compile_source(only, header)
        except DataRejected:
            continue
        with Shaper(compiled, lookups) as shaper:
            rest = iter(rows)
            while some := [*islice(rest, ROWS_AT_ONCE)]:
                columns = [
                    pa.array([said[at][1] for said in some], pa.string())
                    for at in range(len(header))
                ]
                block = pa.table(
                    [*columns, pa.array(range(len(some)), pa.int64())], names=[*header, "line"]
                )
                made = shaper.shape(block).kinds["orders"]
                ids = dict(zip(made["row"].to_pylist(), made["order_id"].to_pylist(), strict=True))
                yield from ((said, ids.get(row)) for row, said in enumerate(some))


def _user_id(source: Source) -> Expression | None:
    orders = source.mapping("orders")
    return orders.columns.get("user_id") if orders else None


def _stated(
    version: ObjectVersion, versions: Versions, makers: Callable[[str], Sequence[Source]]
) -> tuple[str, set[Said]]:
    """The source of an object, and what its user columns say, each combination once.

    Quarantined rows say in their footer what they are of; anything else that no source reads says
    nothing, and what is of a source that makes no id is not read.
    """
    if version.export is not None:
        name = source_of(stored_input(version.key) or version.key) or ""
        if not makers(name):
            return name, set()
        reader = StatedUsers(version.export, NOBODY)
        with versions.open(version) as content:
            for _ in reader.rewritten(text_of(content)[1]):
                pass
        return name, reader.stated
    if not version.key.startswith(QUARANTINE_PREFIX) or not version.key.endswith(".parquet"):
        return "", set()
    import pyarrow.parquet as pq

    with TemporaryDirectory(prefix="erase-") as folder:
        path = Path(folder, "rows")
        fetched(lambda: versions.open(version), path)
        with pq.ParquetFile(path) as rows:
            said = {
                key.decode(): value.decode()
                for key, value in (rows.metadata.metadata or {}).items()
            }
            if "source" not in said:
                return "", set()
            name = said["source"].partition(" ")[0]
            if not makers(name):
                return name, set()
            names = json.loads(said["columns"])
            columns = ExportColumns(
                user_columns=json.loads(said.get("user_columns", "[]")),
                used_columns=names,
                delimiter=said["delimiter"],
                encoding="utf-8",
                quoting=said["quoting"],
                skip_lines=0,
            )
            reader = StatedUsers(columns, NOBODY, _names=names)
            for batch in rows.iter_batches(columns=["raw"]):
                for raw in batch.column(0).to_pylist():
                    reader.record(raw or "")
    return name, reader.stated
