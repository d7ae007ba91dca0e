"""A user whose id is made by an expression is found in the columns that it is made of."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.messages import ExportColumns, ObjectVersion
from contracts.sources.model import Source
from infra.ecp.privacy.source_columns import columns_of
from infra.ecp.privacy.stated_users import is_made, said_as
from services.runtime.privacy.export_ids import ExportEraser
from services.runtime.privacy.user_ids import Replacement
from tests.support.sources import ORDERS, a_source

TOKEN = "erased-0123456789abcdef"
KEY = "archive/b1/inputs/incoming/my-shop/a.csv"
HEADER = "id,bought,total,First,Last,Mail,Street\n"


class Stored:
    """Objects by key."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = objects

    @contextmanager
    def open(self, version: ObjectVersion) -> Iterator[Any]:
        yield io.BytesIO(self.objects[version.key])


def shop(user_id: str, **changes: Any) -> Source:
    return a_source(orders=ORDERS | {"user_id": user_id}, **changes)


def a_version(key: str, columns: ExportColumns | None) -> ObjectVersion:
    return ObjectVersion(key=key, version_id="v", is_current=True, export=columns)


def found(user_id: str, content: bytes, source: Source, key: str = KEY, **tables: Any) -> Any:
    columns = columns_of([source]) if key == KEY else None
    stored: Any = Stored(**{key: content})
    return [
        *said_as(user_id, [a_version(key, columns)], stored, lambda _: [source], lambda _: tables)
    ]


def erased(user_id: str, text: str, source: Source) -> str:
    said = found(user_id, text.encode(), source)
    wanted = Replacement(user_id, TOKEN, tuple(said))
    eraser = ExportEraser(columns_of([source]), wanted)
    return b"".join(eraser.rewritten([text.encode()])).decode()


EXPRESSIONS = [
    ("'c-' || First", "c-Anna", "1,2026-10-01,5,Anna,Berg,a@x.example,Way 1\n"),
    ('lower("First") || \'.\' || lower("Last")', "anna.berg", "1,2026-10-01,5,Anna,Berg,m,Way 1\n"),
    ("split_part(Mail, '@', 1)", "anna", "1,2026-10-01,5,A,B,anna@x.example,Way 1\n"),
    ("regexp_replace(Mail, '[^0-9]', '', 'g')", "4711", "1,2026-10-01,5,A,B,nr-47-11,Way 1\n"),
    ("coalesce(nullif(Mail, 'none'), 'c-' || Last)", "c-Berg", "1,2026-10-01,5,A,Berg,none,W\n"),
    ("'x' || First", 'xA"B', '1,2026-10-01,5,"A""B",B,m,"Way, 1"\n'),
]


@pytest.mark.parametrize(("expression", "user_id", "row"), EXPRESSIONS)
def test_the_row_of_a_user_whose_id_is_made_is_erased(
    expression: str, user_id: str, row: str
) -> None:
    other = "2,2026-10-01,5,Bob,Stein,bob@x.example,Road 2\n"
    after = erased(user_id, HEADER + row + other, shop(expression))
    assert TOKEN in after
    assert after.startswith(HEADER + "1,2026-10-01,5,")
    assert "W" not in after.removeprefix(HEADER)
    assert after.endswith(other)
    assert erased(user_id, after, shop(expression)) == after


def test_nobody_else_is_taken_for_the_user() -> None:
    rows = "1,2026-10-01,5,Anna,Berg,m,W\n2,2026-10-01,5,Berg,Anna,m,W\n"
    source = shop('"First" || \'-\' || "Last"')
    after = erased("Anna-Berg", HEADER + rows, source)
    assert after.count(TOKEN) == 2  # both columns of one row
    assert after.endswith("2,2026-10-01,5,Berg,Anna,m,W\n")


def test_a_column_as_it_stands_needs_no_expression() -> None:
    assert not is_made(shop('"Mail"'))
    assert not is_made(shop("Mail"))
    assert not is_made(a_source())
    assert is_made(shop("lower(Mail)"))
    assert found("anna", f"{HEADER}1,2026-10-01,5,A,B,anna,W\n".encode(), shop("Mail")) == []


def test_quarantined_rows_say_in_their_footer_how_they_are_read() -> None:
    out = io.BytesIO()
    footer = {
        "source": "my-shop v1", "columns": json.dumps(HEADER.strip().split(",")),
        "user_columns": '["Mail"]', "delimiter": ",", "quoting": "doubled",
    }  # fmt: skip
    raw = ["1,2026-10-32,5,A,B,anna@x.example,W", "2,2026-10-32,5,A,B,bob@x.example,W"]
    table = pa.table({"raw": raw}).replace_schema_metadata(footer)
    with pq.ParquetWriter(out, table.schema.remove_metadata()) as writer:
        writer.add_key_value_metadata(footer)
        writer.write_table(table.replace_schema_metadata())
    key = "quarantine/b1/rows/0000.parquet"
    source = shop("split_part(Mail, '@', 1)")
    assert found("anna", out.getvalue(), source, key) == [{"Mail": "anna@x.example"}]


def test_what_is_looked_up_is_asked_of_the_lookup() -> None:
    source = shop("lookup('people', Mail)", lookups={"people": {"key": "mail", "value": "nr"}})
    people = pa.table({"mail": ["a@x.example"], "nr": ["77"]})
    row = f"{HEADER}1,2026-10-01,5,A,B,a@x.example,W\n".encode()
    assert found("77", row, source, people=people) == [{"Mail": "a@x.example"}]


def test_what_is_no_text_or_another_header_says_nothing() -> None:
    source = shop("lower(Mail)")
    assert found("anna", b"PK\x03\x04", source) == []
    assert found("anna", b"id,Other\n1,anna\n", source) == []
