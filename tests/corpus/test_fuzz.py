"""Spoilt files against the plain reader; what must hold whatever was spoilt.

FUZZ_EXAMPLES=20000 makes a long run of it.
"""

import io
import os
from typing import Any

from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file
from tests.corpus.cases import COLUMNS, Sheet
from tests.corpus.mutations import TOKENS, spoilt_files
from tests.support.examples import examples
from tests.support.standing_rows import that_stand
from tests.unit.validator.plain_reader import TODAY, read_file_plainly

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", examples(400)))
long_or_short = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
BLOCK_SIZES = st.sampled_from([1, 2, 7, 30, 100, 8 << 20])


def read_in_blocks(table: str, content: bytes, block_bytes: int) -> tuple[Any, ...]:
    accepted: list[tuple[object, ...]] = []
    bad: list[tuple[object, ...]] = []
    check = check_file(
        lambda: io.BytesIO(content),
        file_contract(table),
        name=f"{table}/a.csv",
        today=TODAY,
        max_rejected_fraction=1.0,
        on_accepted=lambda rows: accepted.extend(tuple(row.values()) for row in rows.to_pylist()),
        on_quarantined=lambda rows: bad.extend((r.line, r.rule, r.column, r.raw) for r in rows),
        block_bytes=block_bytes,
    )
    if check.is_rejected:
        return ("rejected", check.rule)
    accepted = that_stand(check, accepted)
    assert len(accepted) + len(bad) == check.accepted + check.quarantined
    assert check.rows_in == len(accepted) + len(bad) + check.duplicates
    bad.sort()
    return ("read", accepted, bad)


@long_or_short
@given(spoilt_files(), BLOCK_SIZES)
def test_a_spoilt_file_is_read_as_the_plain_reader_does(
    spoilt: tuple[str, bytes], block_bytes: int
) -> None:
    table, content = spoilt
    plainly = read_file_plainly(content, table)
    event(plainly[0] if plainly[0] == "read" else plainly[1])
    assert read_in_blocks(table, content, block_bytes) == plainly


@long_or_short
@given(spoilt_files(), BLOCK_SIZES, BLOCK_SIZES)
def test_the_block_size_never_matters_and_lines_keep_their_order(
    spoilt: tuple[str, bytes], one: int, other: int
) -> None:
    table, content = spoilt
    found = read_in_blocks(table, content, one)
    assert found == read_in_blocks(table, content, other)
    if found[0] == "read":
        for rows, line_at in ((found[1], -1), (found[2], 0)):
            lines = [row[line_at] for row in rows]
            assert lines == sorted(lines)
            assert len(set(lines)) == len(lines)


@long_or_short
@given(
    table=st.sampled_from(sorted(COLUMNS)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    before=st.integers(0, 5),
    where=st.floats(0, 1),
    token=st.sampled_from([token for token in TOKENS if token not in (b"\xc3", b"\xff")]),
    block_bytes=BLOCK_SIZES,
)
@example("products", "\n", 2, 0.5, b'"', 1)
@example("order_items", "\r", 0, 0.0, b"\0", 1)
@example("orders", "\n", 0, 0.0, b"\xef\xbb\xbf", 1)
def test_one_spoilt_line_leaves_all_other_rows_accepted(
    table: str, end: str, before: int, where: float, token: bytes, block_bytes: int
) -> None:
    healthy = Sheet(table, end=end).rows(8)
    lines = healthy.text.split(end)[:-1]
    spoilt = lines[1 + before].encode()
    at = int(where * len(spoilt))
    lines_as_bytes = [line.encode() for line in lines]
    lines_as_bytes[1 + before] = spoilt[:at] + token + spoilt[at:]
    content = b"".join(line + end.encode() for line in lines_as_bytes)
    found = read_in_blocks(table, content, block_bytes)
    assert found[0] == "read"
    ids = [row[:-1] for row in found[1]]
    untouched = read_in_blocks(table, healthy.text.encode(), 8 << 20)[1]
    for number, row in enumerate(untouched):
        if number != before:
            assert row[:-1] in ids
