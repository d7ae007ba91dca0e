"""Columns of numbers read at once: every value exact, and only plain texts are claimed."""

import re
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validator.reading.arrow_numbers import plain_numbers

TEXTS = st.one_of(
    st.text("0123456789.", max_size=20),
    st.text("0123456789.-+e, x/:²", max_size=8),
    st.decimals(0, 10**12, places=2).map(str),
    st.integers(0, 10**18).map(str),
)


def reading(texts: list[str], places: int) -> list[int | None]:
    """The value of each text that is claimed, None for the others."""
    certain, values = plain_numbers(pa.array(texts, pa.string()), places)
    pairs = zip(certain.to_pylist(), values.to_pylist(), strict=True)
    return [value if is_certain else None for is_certain, value in pairs]


def plain_reading(text: str, places: int) -> int | None:
    """The same by a pattern and Decimal."""
    whole, dot, decimals = text.partition(".")
    while len(decimals) > max(places, 0 if set(decimals) == {"0"} else 1) and decimals[-1] == "0":
        decimals = decimals[:-1]
    if dot and text[-1] != ".":
        text = f"{whole}.{decimals}" if decimals else whole
    decimals = rf"(\.[0-9]{{1,{places}}})?" if places else ""
    if len(text) > 18 - places or not re.fullmatch(rf"[0-9]+{decimals}", text):
        return None
    return int(Decimal(text).scaleb(places))


@given(st.lists(TEXTS, max_size=12), st.integers(0, 3), st.integers(0, 3))
def test_each_text_is_read_as_a_decimal_of_its_own_would_be(
    texts: list[str], places: int, skipped: int
) -> None:
    column = pa.array([*["7.5x"] * skipped, *texts], pa.string())[skipped:]
    certain, values = plain_numbers(column, places)
    expected = [plain_reading(text, places) for text in texts]
    assert certain.to_pylist() == [value is not None for value in expected]
    assert values.to_pylist() == [value or 0 for value in expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".5",
        "5.",
        "1..5",
        "1.2.3",
        "1.234",
        "1.2340",
        "-1",
        "+1",
        "1e3",
        "1,5",
        " 1",
        "1²",
        "1:",
        ":",
        "1/",
        "9" * 17,
        "9" * 14 + ".99",
        "9" * 20,
    ],
)
def test_what_is_not_plainly_a_number_is_left_to_the_slow_path(text: str) -> None:
    assert reading(["1.25", text, "3"], places=2) == [125, None, 300]


def test_cents_are_exact_where_a_float_is_not() -> None:
    texts = ["0.29", "1.15", "4.35", "9999999999.99"]
    assert reading(texts, places=2) == [29, 115, 435, 999_999_999_999]


def test_zeros_beyond_the_places_are_dropped_and_nothing_else() -> None:
    assert reading(["1.250", "1.2500", "1.205", "10"], places=2) == [125, 125, None, 1000]
    assert reading(["10.000", "10.010", "100"], places=0) == [10, None, 100]


def test_of_a_slice_only_its_own_texts_are_read() -> None:
    column = pa.array(["9x", "1.5", "2", "x9"], pa.string())[1:3]
    certain, values = plain_numbers(column, 2)
    assert (certain.to_pylist(), values.to_pylist()) == ([True, True], [150, 200])


def test_empty_texts_alone_are_no_numbers() -> None:
    assert reading(["", ""], places=2) == [None, None]
    assert reading([], places=2) == []


def test_numbers_of_as_many_digits_as_surely_fit_are_read() -> None:
    assert reading(["9" * 16, "9" * 13 + ".99"], places=2) == [int("9" * 16) * 100, int("9" * 15)]
    assert reading(["9" * 18, "9" * 19], places=0) == [int("9" * 18), None]


def test_a_single_digit_alone_is_read_too() -> None:
    assert reading(["5"], places=2) == [500]
