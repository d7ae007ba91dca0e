"""Columns of plain numbers read as whole blocks: texts to integers, exactly and without floats.

A decimal of known places is an integer once its dot is taken out, so a column becomes a column of
digits, which Arrow reads as integers. Only numbers as the most files write them are read here;
what else a number may look like (signs, very long ones) is left to `row_checks.py`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.runtime.csv_files.row_checks import MAX_INTEGER_DIGITS

_ZERO, _DOT = b"0."


def plain_numbers(texts: Any, places: int) -> tuple[Any, Any]:
    """Which texts are digits, or digits and a dot and 1 to `places` digits; and their values.

    Zeros after that are dropped. `texts` is a string array without nulls. Values are in units of
    the last place: with two places, `12.5` is 1250. Where the first is false the value is 0.
    """
    written = _Written.of(texts, places)
    certain = written.are_plain()
    if certain.all():
        return pa.array(certain), written.values()
    zeros = rf"^([0-9]+\.[0-9]{{{places}}})0+$" if places else r"^([0-9]+)\.0+$"
    doubtful = texts.filter(pa.array(~certain))
    shorter = pc.replace_substring_regex(doubtful, zeros, "\\1")
    if shorter.nbytes < doubtful.nbytes:
        texts = pc.replace_with_mask(texts, pa.array(~certain), shorter)
        certain = _Written.of(texts, places).are_plain()
    mask = pa.array(certain)
    return mask, _Written.of(pc.if_else(mask, texts, "0"), places).values()


@dataclass(frozen=True)
class _Written:
    """Texts as they lie in memory: text n is `characters[ends[n] - lengths[n] : ends[n]]`.

    `decimals[n]` are the digits after its dot, 0 if no dot is where one may be.
    """

    texts: Any
    characters: Any
    ends: Any
    lengths: Any
    decimals: Any
    places: int

    @classmethod
    def of(cls, texts: Any, places: int) -> "_Written":
        _, offsets, characters = texts.buffers()
        edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        ends, lengths = edges[1:] - edges[0], np.diff(edges)
        held = np.frombuffer(characters or b"", np.uint8)[edges[0] : edges[-1]]
        return cls(texts, held, ends, lengths, _decimals(held, ends, lengths, places), places)

    def are_plain(self) -> Any:
        """True for each text that `values` reads rightly."""
        plain = (self.lengths > 0) & (self.lengths <= MAX_INTEGER_DIGITS - self.places)
        is_foreign = self.characters - _ZERO > 9
        if np.count_nonzero(is_foreign) == np.count_nonzero(self.decimals):
            return plain
        with_dot = np.flatnonzero(self.decimals)
        is_foreign[self.ends[with_dot] - 1 - self.decimals[with_dot]] = False
        foreign = np.flatnonzero(is_foreign)
        plain[np.searchsorted(self.ends, foreign, side="right")] = False
        return plain

    def values(self) -> Any:
        """The integers, when all texts are plain."""
        numbers = pc.cast(self._without_dots(), pa.int64())
        if (self.decimals == self.places).all():
            return numbers
        powers = 10 ** np.arange(self.places, -1, -1)
        return pc.multiply(numbers, pa.array(powers[self.decimals]))

    def _without_dots(self) -> Any:
        has_dot = self.decimals > 0
        if not has_dot.any():
            return self.texts
        edges = np.zeros(len(self.ends) + 1, np.int32)
        edges[1:] = self.ends - np.cumsum(has_dot, dtype=np.int32)
        digits = self.characters.tobytes().translate(None, b".")
        return pa.StringArray.from_buffers(
            len(self.ends), pa.py_buffer(edges), pa.py_buffer(digits)
        )


def _decimals(characters: Any, ends: Any, lengths: Any, places: int) -> Any:
    decimals = np.zeros(len(ends), np.int8)
    if not len(characters):
        return decimals
    for count in range(1, places + 1):
        has_dot = characters.take(ends - (count + 1), mode="clip") == _DOT
        has_dot &= lengths >= count + 2
        decimals[has_dot] = count
    return decimals
