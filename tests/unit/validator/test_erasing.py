"""A user leaves quarantine and staged rows; what else stands there stays as it is."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.messages import ErasureRequest, PseudonymErasure
from services.runtime.privacy.user_ids import Found, Replacement
from services.validator.erasure import rewrite_quarantined, rewrite_staged
from services.validator.row_files import QUARANTINE_SCHEMA
from tests.support.shop import an_order, orders_csv
from tests.unit.validator.harness import ValidatorHarness

TOKEN = "erased-0123456789abcdef"
WANTED = Replacement("alice", TOKEN)
REQUEST = ErasureRequest(
    erasure_id="erasure-1",
    requested_by="ann",
    requested_at="2025-07-08T00:00:00.000Z",
    pseudonyms=[
        PseudonymErasure(check="1" * 64, pseudonym="d" * 64, token="e" * 64),
        PseudonymErasure(check="2" * 64, pseudonym="a" * 64, token="b" * 64),
    ],
)


def opened(content: bytes) -> Any:
    @contextmanager
    def open_it() -> Iterator[io.BytesIO]:
        yield io.BytesIO(content)

    return open_it


def quarantined(
    *raws: str, columns: list[str] | None = None, kind: str = "orders", **described: str
) -> bytes:
    rows = [
        {
            **dict.fromkeys(QUARANTINE_SCHEMA.names, "x"),
            "kind": kind,
            "line": number,
            "raw": raw,
            "message": f"orders/a.csv line {number}: total_amount 'alice' is not a number",
        }
        for number, raw in enumerate(raws, start=2)
    ]
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, QUARANTINE_SCHEMA, compression="zstd") as writer:
        writer.write_table(pa.Table.from_pylist(rows, QUARANTINE_SCHEMA))
        if columns is not None:
            writer.add_key_value_metadata({"columns": json.dumps(columns), **described})
    return sink.getvalue()


def rewritten(content: bytes, folder: Path) -> tuple[list[dict[str, Any]], Found]:
    path = folder / "rewritten"
    found = rewrite_quarantined(opened(content), path, WANTED)
    table = pq.read_table(path, partitioning=None)
    assert table.schema.equals(QUARANTINE_SCHEMA)
    return table.to_pylist(), found


def test_bad_rows_are_read_by_the_columns_of_their_file(tmp_path: Path) -> None:
    columns = ["status", "user_id", "order_id"]
    rows, found = rewritten(
        quarantined("alice,alice,1", "alice,bob,alice", '"alice', columns=columns), tmp_path
    )
    assert [row["raw"] for row in rows] == [f"alice,{TOKEN},1", "alice,bob,alice", f'"{TOKEN}']
    assert found == Found(rows=1, uncertain_rows=1, replaced=2)
    assert [TOKEN in row["message"] for row in rows] == [True, False, True]
    assert {row["line"] for row in rows} == {2, 3, 4}
    again = rewrite_quarantined(
        opened((tmp_path / "rewritten").read_bytes()), tmp_path / "2", WANTED
    )
    assert again == Found(rows=1, uncertain_rows=1, replaced=0)


def test_bad_rows_are_read_by_the_delimiter_and_the_unnamed_columns_of_their_file(
    tmp_path: Path,
) -> None:
    columns = ["status", "user_id", "order_id"]
    content = quarantined("alice;alice;1", columns=columns, delimiter=";")
    rows, found = rewritten(content, tmp_path)
    assert ([row["raw"] for row in rows], found) == (
        [f"alice;{TOKEN};1"],
        Found(rows=1, replaced=1),
    )
    content = quarantined("alice,alice,1,a note", columns=columns, spare="1")
    rows, found = rewritten(content, tmp_path)
    assert ([row["raw"] for row in rows], found) == (
        [f"alice,{TOKEN},1,a note"],
        Found(rows=1, replaced=1),
    )


def test_what_is_rewritten_is_packed_as_it_was_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    columns = ["status", "user_id", "order_id"]
    rewritten(quarantined("alice,alice,1", columns=columns), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rewritten"]
    written = pq.read_metadata(tmp_path / "rewritten")
    raw = written.row_group(0).column(QUARANTINE_SCHEMA.names.index("raw"))
    assert raw.compression == "ZSTD"
    assert not [encoding for encoding in raw.encodings if "DICTIONARY" in encoding]
    assert written.metadata[b"columns"] == json.dumps(columns).encode()


def test_in_an_older_file_every_word_of_an_order_counts(tmp_path: Path) -> None:
    rows, found = rewritten(quarantined("1,alice,x", "alice,2,malice"), tmp_path)
    assert [row["raw"] for row in rows] == [f"1,{TOKEN},x", f"{TOKEN},2,malice"]
    assert found.uncertain_rows == 2
    rows, found = rewritten(quarantined("1,alice,x", kind="products"), tmp_path)
    assert [row["raw"] for row in rows] == ["1,alice,x"]
    assert found == Found()


def test_a_file_without_users_stays(tmp_path: Path) -> None:
    columns = ["product_id", "category"]
    rows, found = rewritten(quarantined('alice,"alice', columns=columns), tmp_path)
    assert [row["raw"] for row in rows] == ['alice,"alice']
    assert found == Found()


def test_bad_rows_of_an_export_are_read_by_its_own_columns(tmp_path: Path) -> None:
    described = {
        "delimiter": ";",
        "quoting": "backslash",
        "source": "my-shop v1",
        "user_columns": '["Buyer"]',
        "unused_columns": '["Street"]',
    }
    content = quarantined(
        '1;Alice;"5, \\"Elm\\"; rear";alice',
        "alice;bob;7;alice",
        columns=["No", "Buyer", "Street", "Note"],
        kind="order_items",
        **described,
    )
    rows, found = rewritten(content, tmp_path)
    assert [row["raw"] for row in rows] == [f"1;{TOKEN};;alice", "alice;bob;7;alice"]
    assert [TOKEN in row["message"] for row in rows] == [True, False]
    assert found == Found(rows=1, replaced=1)


def test_the_validator_tells_the_columns_of_a_file_with_its_bad_rows(tmp_path: Path) -> None:
    harness = ValidatorHarness()
    text = "status,USER_ID,order_id,order_date,total_amount\n"
    text += "".join(f"new,bob,{n},2025-07-07,1.00\n" for n in range(9))
    harness.upload("orders/a.csv", text + "alice,alice,alice,2025-02-30,1.00\n")
    harness.validate()
    [key] = harness.bucket.keys("quarantine/")
    content = harness.bucket.standing[key]
    rows, found = rewritten(content, tmp_path)
    assert [row["raw"] for row in rows] == [f"alice,{TOKEN},alice,2025-02-30,1.00"]
    assert found == Found(rows=1, replaced=1)


def test_staged_orders_hold_the_tokens_pseudonym(tmp_path: Path) -> None:
    schema = pa.schema({"order_id": pa.string(), "user_id": pa.string(), "source_line": pa.int64()})
    users = ["a" * 64, "c" * 64, "d" * 64]
    table = pa.table([["1", "2", "3"], users, [2, 3, 4]], schema=schema)
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=2)

    found = rewrite_staged(opened(sink.getvalue()), tmp_path / "rewritten", REQUEST)

    after = pq.read_table(tmp_path / "rewritten")
    assert after["user_id"].to_pylist() == ["b" * 64, "c" * 64, "e" * 64]
    assert after.drop(["user_id"]).equals(table.drop(["user_id"]))
    assert found == Found(rows=2, replaced=2)


def test_nothing_of_an_orders_text_is_lost(tmp_path: Path) -> None:
    raw = orders_csv(an_order("1", "alice"))
    rows, _ = rewritten(quarantined(raw.rstrip("\n"), columns=None), tmp_path)
    assert rows[0]["raw"] == raw.rstrip("\n").replace("alice", TOKEN)
