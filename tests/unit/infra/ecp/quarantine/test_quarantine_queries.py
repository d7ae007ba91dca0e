"""What lies under quarantine/: found by its keys, read from Parquet, sorted by line."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from contracts.layout import quarantined_file_key, quarantined_rows_key
from services.validator.quarantine.rows import ROW_FIELDS
from services.validator.quarantine.stored import listing, read_rows
from tests.contract.builders import BATCH, OTHER_BATCH

BUCKET = "ecommerce-data-bucket"


def a_row(line: int, **changes: Any) -> dict[str, Any]:
    return {
        "batch_id": BATCH,
        "key": "orders/a.csv",
        "version_id": "v1",
        "kind": "orders",
        "line": line,
        "column": "order_date",
        "rule": "order_date.format",
        "message": "order_date '2025-02-30' is not a date",
        "raw": "1,2,2025-02-30,1.00,completed",
        "contract": "orders v1",
    } | changes


def parquet(*rows: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def a_bucket(aws: Any, objects: dict[str, bytes]) -> Any:
    s3 = aws("s3")
    s3.create_bucket(Bucket=BUCKET)
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return s3


def test_rows_and_whole_files_are_told_apart_and_anything_else_is_left_out(aws: Any) -> None:
    s3 = a_bucket(
        aws,
        {
            quarantined_rows_key(BATCH, 0): parquet(a_row(2)),
            quarantined_file_key(BATCH, "orders/sub/b.csv"): b"not a table",
            f"quarantine/{BATCH}/rows/.0001.parquet.part": b"half",
            "quarantine/README": b"",
        },
    )
    found = listing(s3, BUCKET)
    assert found.row_keys == (quarantined_rows_key(BATCH, 0),)
    [file] = found.files
    assert (file.batch_id, file.key, file.size_bytes) == (BATCH, "orders/sub/b.csv", 11)


def test_one_batch_is_listed_alone(aws: Any) -> None:
    mine, other = quarantined_rows_key(BATCH, 0), quarantined_rows_key(OTHER_BATCH, 0)
    s3 = a_bucket(aws, {mine: parquet(a_row(2)), other: parquet(a_row(3))})
    assert listing(s3, BUCKET, BATCH).row_keys == (mine,)
    assert set(listing(s3, BUCKET).row_keys) == {mine, other}


def test_rows_are_read_by_line_with_every_field_even_those_that_are_absent(aws: Any) -> None:
    key = quarantined_rows_key(BATCH, 0)
    rows = [a_row(12), a_row(3, column="user_id"), a_row(4, column=None)]
    for row in rows:
        del row["contract"]
    s3 = a_bucket(aws, {key: parquet(*rows)})
    found = list(read_rows(s3, BUCKET, [key]))
    assert [row["line"] for row in found] == [3, 4, 12]
    assert all(tuple(row) == ROW_FIELDS for row in found)
    assert found[0]["contract"] is None


def test_an_empty_quarantine_is_empty(aws: Any) -> None:
    found = listing(a_bucket(aws, {}), BUCKET)
    assert (found.row_keys, found.files) == ((), ())
