"""Columns of text of whole blocks in Arrow: what a cell says, and which texts are certainly right.

What would have to be looked for in every column is looked for once in the block (`Held`): most
blocks hold no space, no control character and no text formula, and then no column is searched.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any, TypeAlias
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.file_contracts import Field
from services.runtime.csv_files.advice import HIDDEN, SHEET_ERROR_PATTERN, SHORTENED_ID_PATTERN
from services.runtime.csv_files.row_checks import (
    CURRENCY,
    LOWER_CASED,
    FieldCheck,
    field_check,
    judgement,
    names_something,
)
from services.runtime.csv_files.texts import BLANKS, FORMULA_START, SPACES
from services.validator.reading.file_text import count_line_ends, count_where

_FORMULA_START = FORMULA_START.encode()
_SPACE = f"[{SPACES}]"
_SPACE_STARTS = tuple({space.encode()[:2] for space in SPACES})


@dataclass(frozen=True)
class Held:
    """What a block's text holds at all, so that its columns need not be searched for it.

    `is_printable`: nothing but printable ASCII and line ends.
    """

    is_ascii: bool
    is_printable: bool
    has_blanks: bool
    has_spaces: bool
    has_formulas: bool

    @classmethod
    def by(cls, text: bytes, *, hold_line_ends: bool) -> "Held":
        """Of a text that holds one record a line, unless its fields `hold_line_ends`."""
        is_ascii = text.isascii()
        is_printable = is_ascii and not hold_line_ends and b"\x7f" not in text
        if is_printable:
            ends = count_line_ends(text, returns_end_lines=False) + text.count(b"\r")
            is_printable = count_where(text, lambda characters: characters < ord(" ")) == ends
        return cls(
            is_ascii,
            is_printable,
            any(blank.encode() in text for blank in BLANKS),
            not is_ascii and any(each[:1] in text and each in text for each in _SPACE_STARTS),
            _FORMULA_START[:1] in text,
        )


ReadColumn: TypeAlias = Callable[[Any, Held], tuple[Any, Any]]
"""Trimmed texts of a block to (certain, values): booleans, and values that hold where they are
true; None for booleans where all are true."""


def trimmed(texts: Any, held: Held) -> Any:
    """Every space a space, none of them around the text."""
    if held.has_spaces:
        texts = pc.replace_substring_regex(texts, _SPACE, " ")
    return pc.ascii_trim(texts, BLANKS) if held.has_blanks or held.has_spaces else texts


def text_reader(field: Field, today: date, only: str | None) -> ReadColumn:
    """Lengths in characters; RE2 is trusted where it agrees with Python: on ASCII, and on a class.

    What is not ASCII and not certain is read by the check of the slow path, each distinct text
    once. Where `only` names a currency, no other one is certain.
    """
    shortest = max(field.minimum_length or 0, 1)
    is_lower_cased = field.name in LOWER_CASED
    pattern = field.pattern or ""
    is_one_class = _is_one_class(pattern)
    allows_printable = is_one_class and _allows_printable_ascii(pattern)
    missing = None if field.required else Missing(field.missing_values)
    is_id, is_currency = names_something(field), field.name == CURRENCY
    check = field_check(field, today)

    def read(texts: Any, held: Held) -> tuple[Any, Any]:
        is_ascii = held.is_ascii or _characters(texts).isascii()
        if not is_ascii:
            texts = _composed(texts)
        has_formulas = held.has_formulas and _FORMULA_START in _characters(texts)
        if has_formulas:
            texts = without_formulas(texts)
        lengths = pc.binary_length(texts) if is_ascii else pc.utf8_length(texts)
        masks = [_within(lengths, shortest, field.maximum_length)]
        if not (allows_printable and held.is_printable):
            if allows_printable and is_ascii:
                masks.append(pc.ascii_is_printable(texts))
            elif pattern:
                masks.append(pc.match_substring_regex(texts, pattern))
        if pattern and not is_ascii:
            masks.append(
                pc.invert(pc.match_substring_regex(texts, HIDDEN.pattern))
                if is_one_class
                else pc.string_is_ascii(texts)
            )
        if is_id and _may_be_shortened(_characters(texts)):
            masks.append(pc.invert(pc.match_substring_regex(texts, SHORTENED_ID_PATTERN)))
        if is_id and b"#" in _characters(texts):
            masks.append(pc.invert(pc.match_substring_regex(texts, SHEET_ERROR_PATTERN)))
        if has_formulas:
            masks.append(pc.invert(pc.starts_with(texts, FORMULA_START)))
        certain = all_of(masks)
        values = _lower(texts) if is_lower_cased else texts
        if is_currency:
            values = pc.ascii_upper(texts)
        if missing:
            certain, values = missing.as_nulls(texts, lengths, certain, values)
        if certain is not None and not is_ascii:
            doubtful = pc.and_not(pc.invert(certain), pc.string_is_ascii(texts))
            certain, values = read_each(check, texts, doubtful, certain, values)
        if only:
            is_ours = pc.or_(pc.is_null(values), pc.fill_null(pc.equal(values, only), False))
            certain = all_of([certain, is_ours])
        return certain, values

    return read


def all_of(masks: list[Any]) -> Any:
    """Where all of them are true; None stands for true everywhere, and is given where it is so."""
    partial = [
        mask for mask in masks if mask is not None and pc.all(mask, min_count=0).as_py() is not True
    ]
    return reduce(pc.and_, partial) if partial else None


def _within(lengths: Any, shortest: int, longest: int | None) -> Any:
    found = pc.min_max(lengths).as_py()
    if not len(lengths) or (
        found["min"] >= shortest and (longest is None or found["max"] <= longest)
    ):
        return None
    mask = pc.greater_equal(lengths, shortest)
    return mask if longest is None else pc.and_(mask, pc.less_equal(lengths, longest))


@dataclass(frozen=True)
class Missing:
    """The words for "nothing" in a column that takes it for an answer."""

    words: tuple[str, ...]

    def as_nulls(self, texts: Any, lengths: Any, certain: Any, values: Any) -> tuple[Any, Any]:
        """Nulls for these words, which are certain."""
        longest = max(map(len, self.words))
        if not len(texts) or (pc.min(lengths).as_py() or 0) > longest:
            return certain, values
        says_nothing = pc.is_in(texts, value_set=pa.array(self.words, pa.string()))
        nothing = pa.scalar(None, values.type)
        values = pc.if_else(says_nothing, nothing, values)
        return None if certain is None else pc.or_(certain, says_nothing), values


def _may_be_shortened(characters: bytes) -> bool:
    """Whether any id may be a number with an exponent."""
    has_exponent = b"e" in characters or b"E" in characters
    return has_exponent and any(mark in characters for mark in (b".", b",", b"+"))


def _characters(texts: Any) -> bytes:
    """All texts of an array that was just made, one after the other."""
    _, offsets, characters = texts.buffers()
    if characters is None or not len(texts):
        return b""
    edges = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return bytes(characters.slice(int(edges[0]), int(edges[-1] - edges[0])).to_pybytes())


def _composed(texts: Any) -> Any:
    """The texts in NFC, all at once, by Python as in `texts.composed`; a text holds no NUL.

    No character composes with the NUL between two of them.
    """
    joined = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\0")[0].as_py()
    composed = normalize("NFC", joined)
    return pc.split_pattern(pa.array([composed]), "\0").flatten()


def without_formulas(texts: Any) -> Any:
    """`="0001"` as `0001`, where nothing inside needs thought."""
    bare = pc.replace_substring_regex(texts, '^="([ !#-~]*)"$', "\\1")
    return pc.ascii_trim(bare, BLANKS)


def read_each(
    check: FieldCheck, texts: Any, doubtful: Any, certain: Any, values: Any
) -> tuple[Any, Any]:
    """The check of the slow path on each distinct text of those that are in doubt."""
    encoded = pc.dictionary_encode(texts.filter(doubtful))
    judged = [judgement(check, text) for text in encoded.dictionary.to_pylist()]
    is_right = pa.array([right for right, _ in judged], pa.bool_())
    read = pa.array([value for _, value in judged], values.type)
    certain = pc.replace_with_mask(certain, doubtful, pc.take(is_right, encoded.indices))
    return certain, pc.replace_with_mask(values, doubtful, pc.take(read, encoded.indices))


def _is_one_class(pattern: str) -> bool:
    """Whether a pattern is one class of characters, which judges each for itself."""
    return re.fullmatch(r"\^\[[^\[\]\\]+\]\+\$", pattern) is not None


def _allows_printable_ascii(pattern: str) -> bool:
    """Of ASCII, exactly texts of printable characters match: then no regex needs to run."""
    characters = map(chr, range(128))
    return all(bool(re.match(pattern, each)) == each.isprintable() for each in characters)


def _lower(texts: Any) -> Any:
    """Python's own lower-casing, once for each distinct text."""
    encoded = pc.dictionary_encode(texts)
    found = encoded.dictionary.to_pylist()
    lowered = [text.lower() for text in found]
    if lowered == found:
        return texts
    return pc.take(pa.array(lowered, pa.string()), encoded.indices)
