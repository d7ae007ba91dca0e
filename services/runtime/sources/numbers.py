"""Columns of numbers (values.NUMBER) as texts, and as narrow numbers, which multiply quicker.

What fits into 64 bits is handled by whole columns; the others, which are seldom, one by one.
"""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SCALE = 10
_LARGE = 1 << 62
_CENT = Decimal("0.01")
_NARROW_DIGITS, _NARROW_SCALES = 9, (0, 2, 4)
"""Two factors of so few digits have a product of as many digits as DuckDB allows NUMBERs."""


def narrowed(numbers: Any) -> Any:
    """The same numbers with few digits; None where one of them has more."""
    for scale in _NARROW_SCALES:
        try:
            return numbers.cast(pa.decimal128(_NARROW_DIGITS, scale))
        except pa.ArrowInvalid:
            continue
    return None


def number_texts(numbers: Any) -> Any:
    """The digits of numbers without zeros at the end: 12.5, 100, 0."""
    units, is_small = _units(numbers)
    if not (units % 10**8).any():
        texts = _with_point(_rounded(units, 8), 2, numbers)
    else:
        texts = _with_point(units, SCALE, numbers)
    texts = pc.ascii_rtrim(pc.ascii_rtrim(texts, "0"), ".")
    return _with_large(texts, numbers, is_small, _plain)


def cent_texts(numbers: Any) -> Any:
    """Numbers rounded half up to cents, away from zero: 12.50, -0.01."""
    units, is_small = _units(numbers)
    texts = _with_point(_rounded(units, 8), 2, numbers)
    return _with_large(texts, numbers, is_small, lambda each: f"{_in_cents(each):f}")


def _units(numbers: Any) -> tuple[Any, Any]:
    """Numbers in units of their last place, 0 for those that 64 bits do not hold; and which do."""
    start, count = numbers.offset, len(numbers)
    words: Any = np.frombuffer(numbers.buffers()[1] or b"", np.int64).reshape(-1, 2)
    low, high = words[start : start + count].T
    is_small = (high == low >> 63) & (low > -_LARGE) & (low < _LARGE)
    is_null = pc.is_null(numbers).to_numpy(zero_copy_only=False)
    return np.where(is_small & ~is_null, low, 0), is_small | is_null


def _rounded(units: Any, places: int) -> Any:
    """With so many places less, half away from zero."""
    power = 10**places
    return np.sign(units) * ((np.abs(units) + power // 2) // power)


def _with_point(units: Any, places: int, numbers: Any) -> Any:
    """Texts of integers with a point before the last digits; NULL where the numbers are."""
    digits = pc.ascii_lpad(pc.cast(pa.array(np.abs(units)), pa.string()), places + 1, "0")
    edges: Any = np.frombuffer(digits.buffers()[1], np.int32)[: len(digits) + 1]
    characters = np.frombuffer(digits.buffers()[2] or b"", np.uint8)
    characters = np.insert(characters, edges[1:] - places, ord("."))
    edges = edges + np.arange(len(edges), dtype=np.int32)
    texts = pa.StringArray.from_buffers(
        len(digits), pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(characters)
    )
    if (units < 0).any():
        signed = pc.binary_join_element_wise("-", texts, "")
        texts = pc.if_else(pa.array(units < 0), signed, texts)
    return pc.if_else(pc.is_valid(numbers), texts, None) if numbers.null_count else texts


def _with_large(texts: Any, numbers: Any, is_small: Any, written: Any) -> Any:
    """With the texts of those that do not fit."""
    if is_small.all():
        return texts
    is_large = pa.array(~is_small)
    large = [written(each) for each in numbers.filter(is_large).to_pylist()]
    return pc.replace_with_mask(texts, is_large, pa.array(large, pa.string()))


def _plain(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".")


def _in_cents(number: Decimal) -> Decimal:
    with localcontext(prec=50):
        return number.quantize(_CENT, ROUND_HALF_UP)
