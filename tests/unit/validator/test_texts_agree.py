"""Columns of text read at once against the same cells read one by one, for all of Unicode."""

from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.file_contracts import file_contract
from services.runtime.csv_files.row_checks import field_check, judgement
from services.validator.reading import arrow_texts
from services.validator.reading.arrow_texts import Held, text_reader, trimmed
from tests.support.examples import some
from tests.unit.validator.plain_reader import TODAY

AT_ONCE = patch.object(arrow_texts, "read_each", lambda *given: given[-2:])
"""Else the slow path would judge what is not certain, and hide it."""
COLUMNS = (
    *(("orders", each) for each in ("order_id", "user_id", "status", "currency")),
    *(("products", each) for each in ("category", "name")),
)
MARKS = "\u0300\u0301\u0308\u0327\u0338\u0345"
CELLS = st.text(
    st.one_of(
        st.sampled_from(f'aeKE=1+. "#{MARKS}\u00a0\u2000\u212a\u1100\u1161'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=6,
).filter(lambda text: "\0" not in text)


def field_of(kind: str, name: str) -> Any:
    return next(field for field in file_contract(kind).fields if field.name == name)


def read(kind: str, name: str, cells: list[str]) -> list[tuple[bool, Any]]:
    """Whether each cell is right, and its value."""
    held = Held.by("\n".join(cells).encode(), hold_line_ends=True)
    texts = trimmed(pa.array(cells, pa.string()), held)
    certain, values = text_reader(field_of(kind, name), TODAY, None)(texts, held)
    are_right = [True] * len(cells) if certain is None else certain.to_pylist()
    return [
        (is_right, value if is_right else None)
        for is_right, value in zip(are_right, values.to_pylist(), strict=True)
    ]


def read_singly(kind: str, name: str, cells: list[str]) -> list[tuple[bool, Any]]:
    check = field_check(field_of(kind, name), TODAY)
    return [judgement(check, cell) for cell in cells]


@pytest.mark.medium
@AT_ONCE
@pytest.mark.parametrize(("kind", "name"), some(COLUMNS))
def test_each_character_is_judged_as_one_by_one(kind: str, name: str) -> None:
    """All that are assigned, after a letter that some of them compose with."""
    numbers = (*range(1, 0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xE0200))
    cells = [f"e{chr(number)}" for number in numbers]
    assert read(kind, name, cells) == read_singly(kind, name, cells)


@AT_ONCE
def test_what_a_sheet_writes_instead_of_an_id_is_a_text_in_other_columns() -> None:
    cells = ["#N/A", "#REF!", "7.41E+12", "x"]
    assert read("products", "name", cells) == [(True, cell) for cell in cells]
    ids = [(False, None)] * 3 + [(True, "x")]
    assert read("products", "product_id", cells) == ids


@given(st.sampled_from(COLUMNS), st.lists(CELLS, max_size=8))
def test_texts_are_judged_as_one_by_one(column: tuple[str, str], cells: list[str]) -> None:
    found, expected = read(*column, cells), read_singly(*column, cells)
    for one, other, cell in zip(found, expected, cells, strict=True):
        assert one == other or (cell.isascii() and not one[0])


@AT_ONCE
@pytest.mark.parametrize("cell", ["e\u0301", "\u00e9", "\U0001f600"])
def test_lengths_are_counted_in_characters_once_they_are_composed(cell: str) -> None:
    [most, one_more] = read("orders", "order_id", [cell * 64, cell * 65])
    assert (most, one_more) == (read_singly("orders", "order_id", [cell * 64])[0], (False, None))
    assert most[0]
