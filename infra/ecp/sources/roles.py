"""Which column plays which part in a draft: by its name, and by whether its values can be that."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from infra.ecp.sources.draft_text import can_be_written
from infra.ecp.sources.profiles import Profile

_LIKE = 0.82
"""How alike two names are from which one may be a slip or a form of the other (difflib's ratio)."""
_SHORTEST_PART = 4

_CAN_BE: Mapping[str, Callable[[Profile], bool]] = {
    "order_date": lambda column: column.day is not None,
    "total_amount": lambda column: column.numbers > 0.9,
    "unit_price": lambda column: column.numbers > 0.9,
    "line_amount": lambda column: column.numbers > 0.9,
    "line_discount": lambda column: column.numbers > 0.9,
    "shipping": lambda column: column.numbers > 0.9,
    "price": lambda column: column.numbers > 0.9,
    "quantity": lambda column: column.numbers > 0.9 and column.is_whole,
    "currency": lambda column: column.is_currency,
    "status": lambda column: column.distinct < 0.5 or len(column.values) < 20,
    "line_id": lambda column: column.filled == 1 and column.distinct == 1,
    "order_id": lambda column: column.filled > 0.5 and column.day is None,
    "product_id": lambda column: column.filled > 0.5 and column.day is None,
    "user_id": lambda column: column.filled > 0.1 and column.day is None,
}
"""What the values of a part have to be; parts that are not named here may be any text."""


@dataclass(frozen=True)
class Part:
    """A column in its part; `confidence` (0 to 1) and `why` are for people to judge it by."""

    role: str
    column: Profile
    confidence: float
    why: str


def parts_of(columns: Sequence[Profile]) -> dict[str, Part]:
    """For each part the column that fits it best; a column plays one part."""
    found = sorted(
        (part for column in columns if can_be_written(column.name) for part in _parts(column)),
        key=lambda part: (-part.confidence, part.column.place),
    )
    chosen: dict[str, Part] = {}
    taken: set[int] = set()
    for part in found:
        if part.role in chosen or part.column.place in taken:
            continue
        chosen[part.role] = part
        if part.role not in _SHARED:
            taken.add(part.column.place)
    return chosen


_SHARED = frozenset({"price"})
"""The price of a product may be the column that is the price of a line, in another sort of file."""


def _parts(column: Profile) -> list[Part]:
    name = _plain(column.name)
    found = []
    for role, words in _synonyms().items():
        likeness, why = _by_name(name, words)
        can_be = _CAN_BE.get(role)
        if likeness and column.values and can_be is not None and not can_be(column):
            continue
        if likeness and not column.values:
            likeness, why = likeness * 0.3, f"{why}; it has no values"
        if likeness:
            found.append(Part(role, column, likeness, why))
    return found


def _by_name(name: str, words: Mapping[str, Sequence[str]]) -> tuple[float, str]:
    """How surely a name says a part, and in which words."""
    if set(name.split()) & set(words.get("never", ())) and name not in words["names"]:
        return 0.0, ""
    best, known = 0.0, ""
    for rank, each in enumerate(words["names"]):
        early = 0.08 * rank / len(words["names"])
        if name == each or name.replace(" ", "") == each.replace(" ", ""):
            likeness = 0.98 - early
        elif len(each) >= _SHORTEST_PART and f" {each} " in f" {name} ":
            likeness = 0.7 - early
        else:
            ratio = _alike(name, each) if len(each) > _SHORTEST_PART else 0.0
            likeness = 0.6 * ratio - early if ratio >= _LIKE else 0
        if likeness > best:
            best, known = likeness, each
    return best, f'its name says "{known}"'


def _alike(name: str, other: str) -> float:
    """The ratio of difflib; 0 where lengths, which most names differ in, already rule _LIKE out."""
    if 2 * min(len(name), len(other)) < _LIKE * (len(name) + len(other)):
        return 0.0
    pair = SequenceMatcher(None, name, other)
    return pair.ratio() if pair.quick_ratio() >= _LIKE else 0.0


def _plain(name: str) -> str:
    """Words of plain letters and digits: `OrderID`, `order-id` and `Order ID` are `order id`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKD", name.strip()))
    letters = "".join(each for each in apart if not unicodedata.combining(each))
    words = re.findall(r"[^\W_]+", letters.casefold())
    return " ".join(re.sub(r"(?<=..)nr$", "nummer", word) for word in words)


@cache
def _synonyms() -> dict[str, Any]:
    text = files("infra.ecp.sources").joinpath("synonyms.yaml").read_text()
    known: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return known
