"""Which known id may be meant by one that is waited for: alike to people, another text; pure.

`100` while `00100` is there, `2001.0` and `2001`, `="7"` and `7`, `Å` in two forms of Unicode. A
near miss is a hint and never a decision: nothing is joined by it.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

SHOWN = 3
EXACT_DIGITS = 15
"""So many digits of a number a spreadsheet keeps; it turns those after them into zeros."""
LEAST_SHORTENED = 12
"""From so many digits on, a spreadsheet shows a number as `8.93E+17`."""
MOST_DECIMALS = 5
QUOTES = "\"'`\u00b4\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
DASHES = dict.fromkeys((*range(0x2010, 0x2016), 0x2212), "-")
LOOKALIKES = str.maketrans("АВЕКМНОРСТХаеорсух", "ABEKMHOPCTXaeopcyx")  # noqa: RUF001 (Cyrillic)
PLAIN = re.compile(r"[A-Za-z0-9._/-]+")
"""Most ids: of what may be changed only case, zeros and separators can be."""
SCIENTIFIC = re.compile(r"(\d)(?:[.,](\d+))?[eE]\+?(\d{1,3})")


@dataclass(frozen=True)
class NearMiss:
    """A known id that is alike, and in what the two differ."""

    known: str
    differs_in: str


def near_misses(waiting: Iterable[str], known: Iterable[str]) -> dict[str, list[NearMiss]]:
    """The first known ids, at most three, that are alike to each waiting one; others are left out.

    `known` is gone through once, whatever its length, and nothing of it is kept but what is found.
    """
    wanted = set(waiting)
    decimals = {len(each[2] or "") for one in wanted if (each := SCIENTIFIC.fullmatch(one.strip()))}
    by_likeness: dict[str, list[str]] = {}
    for one in sorted(wanted):
        for key in _likenesses(one, range(MOST_DECIMALS + 1)):
            by_likeness.setdefault(key, []).append(one)
    found: dict[str, list[NearMiss]] = {}
    for other in known:
        for key in _likenesses(other, decimals):
            for one in by_likeness.get(key, ()):
                so_far = found.setdefault(one, [])
                is_new = other != one and other not in (miss.known for miss in so_far)
                if is_new and len(so_far) < SHOWN:
                    so_far.append(NearMiss(other, difference(one, other)))
    return {one: misses for one, misses in found.items() if misses}


def likeness(text: str) -> str:
    """What is left of an id without what people do not see or spreadsheets change."""
    if PLAIN.fullmatch(text):
        return _without_separators(_without_zeros(_without_decimals(text.lower())))
    for _, change in CHANGES:
        text = change(text)
    return text


def difference(one: str, other: str) -> str:
    """In what two ids that are alike differ, in words."""
    for words, change in CHANGES:
        if change(one) == change(other):
            return words
    if SCIENTIFIC.fullmatch(one.strip()) or SCIENTIFIC.fullmatch(other.strip()):
        return "a spreadsheet has shortened one"
    if likeness(one) == likeness(other):
        return "several of these at once: quotes, zeros, spaces, case, signs"
    return "the last digits, which a spreadsheet has turned into zeros"


def _likenesses(text: str, decimals: Iterable[int]) -> Iterator[str]:
    """The keys under which an id is found; `decimals` of shortened numbers that are looked for."""
    plain = likeness(text)
    yield plain
    if shortened := SCIENTIFIC.fullmatch(text.strip()):
        first, rest, power = shortened.groups()
        yield f"{first}.{rest or ''}e{int(power)}"
    elif len(plain) >= LEAST_SHORTENED and plain.isascii() and plain.isdigit():
        for places in decimals:
            mantissa, _, power = f"{int(plain):.{places}e}".partition("e")
            first, _, rest = mantissa.partition(".")
            yield f"{first}.{rest}e{int(power)}"
        if len(plain) > EXACT_DIGITS:
            yield f"{plain[:EXACT_DIGITS]}+{len(plain) - EXACT_DIGITS}"


def _without_invisible(text: str) -> str:
    seen = (one for one in text if unicodedata.category(one) not in ("Cf", "Cc", "Mn", "Me"))
    return "".join("".join(seen).split())


def _without_quotes(text: str) -> str:
    return text.strip().removeprefix("=").strip(QUOTES)


def _in_plain_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in text)


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<![0-9.,])0+(?=[0-9])", "", text)


def _without_decimals(text: str) -> str:
    return re.sub(r"^([0-9]+)[.,]0+$", r"\1", text)


def _without_separators(text: str) -> str:
    """Between letters and digits, `SO-1001`; 1-11 and 11-1 are two."""
    if any(one.isalpha() for one in text):
        return re.sub(r"[-_./]", "", text)
    return re.sub(r"(?<=[0-9])[,'](?=[0-9]{3}(?:[^0-9]|$))", "", text)


CHANGES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("the form of Unicode", lambda text: unicodedata.normalize("NFC", text)),
    ("full-width or otherwise formatted signs", lambda text: unicodedata.normalize("NFKC", text)),
    ("spaces, accents or invisible characters", _without_invisible),
    ("the script of the digits", _in_plain_digits),
    ('quotes or Excel\'s ="..." around it', _without_quotes),
    ("upper and lower case", str.casefold),
    ("letters of another alphabet", lambda text: text.translate(LOOKALIKES).casefold()),
    ("another kind of dash", lambda text: text.translate(DASHES)),
    ("a # before it", lambda text: text.strip().lstrip("#№")),
    ("a decimal part of zeros", _without_decimals),
    ("leading zeros", _without_zeros),
    ("separators", _without_separators),
)
"""What may have been changed on the way, one thing at a time; all of them make the likeness."""
