"""Erasing one user from what the validator keeps: quarantined rows and files, staged rows.

Rejected files are rewritten as text (`services/runtime/privacy/user_ids.py`), Parquet here.
"""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.envelope import Message
from contracts.layout import PROCESSING_PREFIX, kind_of_stored
from contracts.messages import (
    ErasureRequest,
    ExportColumns,
    ObjectVersion,
    UserErasedFromQuarantine,
)
from services.runtime.privacy.erasure import (
    ErasurePorts,
    Open,
    Rewrite,
    carry_out,
    csv_rewrite,
    export_rewrite,
    fetched,
    replacement_of,
)
from services.runtime.privacy.export_ids import ExportEraser
from services.runtime.privacy.user_ids import (
    USER_COLUMN,
    Columns,
    Found,
    Replacement,
    columns_named,
    erase_in_record,
)
from services.validator.use_cases import SOURCE

KIND_WITH_USERS = "orders"


def erase_from_quarantine(message: Message, ports: ErasurePorts) -> None:
    """Put the token in the user's place in the objects of the command; say how many there were."""
    carry_out(
        message,
        f"validation/{message.data.request_id}",
        lambda request: rewrites(request, ports.clock().date()),
        lambda counts: UserErasedFromQuarantine(**counts),
        ports,
        SOURCE,
    )


def rewrites(request: ErasureRequest, today: date) -> Callable[[ObjectVersion], Rewrite]:
    """How an object under quarantine/ or processing/ is rewritten."""
    wanted = replacement_of(request)

    def rewrite_of(version: ObjectVersion) -> Rewrite:
        key = version.key
        if version.export is not None:
            return export_rewrite(version.export, wanted)
        if key.startswith(PROCESSING_PREFIX):
            return lambda opened, path: rewrite_staged(opened, path, request)
        kind = kind_of_stored(key)
        if kind is not None:
            return csv_rewrite(kind, today, wanted)
        return lambda opened, path: rewrite_quarantined(opened, path, wanted)

    return rewrite_of


def rewrite_staged(opened: Open, path: Path, request: ErasureRequest) -> Found:
    """Accepted orders with the token's pseudonym for the user's, of whatever generation."""
    found = Found()

    def rewritten(rows: Any) -> Any:
        users = rows[USER_COLUMN]
        for each in request.pseudonyms:
            theirs = pc.equal(users, each.pseudonym)
            users = pc.if_else(theirs, each.token, users)
            found.replaced += pc.sum(theirs).as_py() or 0
            found.rows += pc.sum(pc.equal(users, each.token)).as_py() or 0
        return rows.set_column(rows.column_names.index(USER_COLUMN), USER_COLUMN, users)

    _rewrite_parquet(opened, path, lambda _: rewritten)
    return found


def rewrite_quarantined(opened: Open, path: Path, wanted: Replacement) -> Found:
    """Bad rows with the token for the id in their text, and in the message of those rows.

    A file that is older than its footer's `columns` may have any order of columns: in its orders
    every word counts, and lines and products name no user.
    """
    found = Found()

    def with_columns(described: dict[bytes, bytes]) -> Callable[[Any], Any]:
        names = json.loads(described.get(b"columns", b"null"))
        delimiter = described.get(b"delimiter", b",").decode()
        spare = int(described.get(b"spare", b"0"))
        columns = columns_named(names, delimiter, spare) if names else None
        if b"source" in described:
            return _rewritten_of_source(described, names or [], wanted, found)
        is_old = names is None
        is_nobodys = names is not None and USER_COLUMN not in names

        def rewritten(rows: Any) -> Any:
            if is_nobodys:
                return rows
            raws, messages = [], []
            for row in rows.select(["kind", "raw", "message"]).to_pylist():
                before, message = row["raw"], row["message"]
                skipped = before is None or (is_old and row["kind"] != KIND_WITH_USERS)
                after = before if skipped else _erased(before, columns, wanted, found)
                raws.append(after)
                messages.append(message if after == before else wanted.in_words(message))
            return _with_texts(rows, raw=raws, message=messages)

        return rewritten

    _rewrite_parquet(opened, path, with_columns)
    return found


def _rewritten_of_source(
    described: dict[bytes, bytes], names: list[str], wanted: Replacement, found: Found
) -> Callable[[Any], Any]:
    """Rows of an export: the columns that name users get the token, those without use go."""
    unused = json.loads(described.get(b"unused_columns", b"[]"))
    eraser = ExportEraser(
        ExportColumns(
            user_columns=json.loads(described.get(b"user_columns", b"[]")),
            used_columns=[name for name in names if name not in unused],
            delimiter=described[b"delimiter"].decode(),
            encoding="utf-8",
            quoting=described[b"quoting"].decode(),
            skip_lines=0,
        ),
        wanted,
        found,
        names,
    )

    def rewritten(rows: Any) -> Any:
        befores = rows["raw"].to_pylist()
        raws = [before and eraser.record(before) for before in befores]
        messages = [
            message if after == before else wanted.in_words(message)
            for message, before, after in zip(
                rows["message"].to_pylist(), befores, raws, strict=True
            )
        ]
        return _with_texts(rows, raw=raws, message=messages)

    return rewritten


def _with_texts(rows: Any, **texts: list[str | None]) -> Any:
    for name, values in texts.items():
        position = rows.column_names.index(name)
        rows = rows.set_column(position, name, pa.array(values, pa.string()))
    return rows


def _erased(raw: str, columns: Columns | None, wanted: Replacement, found: Found) -> str:
    if not wanted.is_in(raw.encode()):
        return raw
    return erase_in_record(raw, columns, wanted, found)


def _rewrite_parquet(
    opened: Open, path: Path, rewriting: Callable[[dict[bytes, bytes]], Callable[[Any], Any]]
) -> None:
    """Row group by row group, with the same schema and footer; `rewriting` gets the footer."""
    before = path.with_suffix(".before")
    fetched(opened, before)
    with pq.ParquetFile(before) as source:
        described = {
            key: value
            for key, value in (source.metadata.metadata or {}).items()
            if key != b"ARROW:schema"
        }
        rewritten = rewriting(described)
        schema = source.schema_arrow.remove_metadata()
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as target:
            target.add_key_value_metadata(described)
            for number in range(source.num_row_groups):
                rows = source.read_row_group(number).replace_schema_metadata()
                target.write_table(rewritten(rows).cast(schema))
    before.unlink()
