"""Whether a file contract still takes every file that an earlier one took.

A CSV file names no version of its contract, so there is no way around this by a new version: v2
takes what v1 took. What a new version may add are columns that a file may lack (`optional`), and
values that say "nothing" where nothing is accepted (decision 0019).
"""

import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from contracts.compatibility.breaks import Difference
from contracts.compatibility.forms import Comparison

Column = dict[str, Any]
_AT_LEAST = ("minimum", "minLength")
_AT_MOST = ("maximum", "maxLength", "maximumDaysFromToday")
_SAME = {
    "primaryKey": "rows that count today would replace each other, or no longer do",
    "missingValues": "a value that counts today would be taken for a missing one, or no longer be",
}


def file_differences(new: dict[str, Any], old: dict[str, Any]) -> Iterator[Difference]:
    """Every way in which a file that fits the old contract may be refused, or read otherwise."""
    for keyword, consequence in _SAME.items():
        if new.get(keyword) != old.get(keyword):
            was, now = old.get(keyword), new.get(keyword)
            said = f"was {was!r}, is {now!r}: {consequence}"
            yield Difference(f"/{keyword}", keyword, said)
    before = {column["name"]: column for column in old["fields"]}
    positions = {column["name"]: index for index, column in enumerate(new["fields"])}
    for name in before:
        if name not in positions:
            said = f"column `{name}` is gone: what senders put there would be ignored"
            yield Difference("/fields", "removed", said)
    yield from _unique_keys(new, old, before)
    for index, column in enumerate(new["fields"]):
        pointer, name = f"/fields/{index}", column["name"]
        if name not in before:
            yield from _new_column(column, pointer)
        else:
            yield from _column_differences(column, before[name], pointer)


def _new_column(column: Column, pointer: str) -> Iterator[Difference]:
    name = column["name"]
    if not column.get("optional"):
        said = f"column `{name}` is new: files without it are rejected"
        yield Difference(pointer, "new", said)
    elif column.get("constraints", {}).get("required"):
        said = f"column `{name}` is new: files that say nothing in it are rejected"
        yield Difference(pointer, "new", said)


def _unique_keys(
    new: dict[str, Any], old: dict[str, Any], columns_before: Collection[str]
) -> Iterator[Difference]:
    """A new key must hold a column that no file of before names: else rows would contradict."""
    for key in new.get("uniqueKeys", []):
        if key not in old.get("uniqueKeys", []) and set(key) <= set(columns_before):
            said = f"key {key} is new: rows that count today would contradict each other"
            yield Difference("/uniqueKeys", "uniqueKeys", said)


def _column_differences(new: Column, old: Column, pointer: str) -> Iterator[Difference]:
    name = new["name"]
    for keyword in ("type", "format"):
        if new.get(keyword) != old.get(keyword):
            said = f"`{name}` was {old.get(keyword)}, is {new.get(keyword)}"
            yield Difference(f"{pointer}/{keyword}", keyword, said)
    if old.get("optional") and not new.get("optional"):
        said = f"column `{name}` is no longer optional: files without it are rejected"
        yield Difference(f"{pointer}/optional", "optional", said)
    yield from _missing_values(new, old, pointer)
    if new.get("decimalPlaces", 0) < old.get("decimalPlaces", 0):
        said = f"`{name}` had {old['decimalPlaces']} decimals, has {new.get('decimalPlaces', 0)}"
        yield Difference(f"{pointer}/decimalPlaces", "decimalPlaces", said)
    limits, before = new.get("constraints", {}), old.get("constraints", {})
    for keyword in sorted({*limits, *before}):
        if not _is_as_wide(keyword, limits.get(keyword), before.get(keyword)):
            said = (
                f"`{name}`: {keyword} was {_shown(before, keyword)}, is {_shown(limits, keyword)}"
            )
            yield Difference(f"{pointer}/constraints/{keyword}", keyword, said)


def _missing_values(new: Column, old: Column, pointer: str) -> Iterator[Difference]:
    """A column may get more words for "nothing", if it takes nothing for an answer."""
    was, now = old.get("missingValues"), new.get("missingValues")
    is_required = new.get("constraints", {}).get("required")
    if was != now and (is_required or not {*(was or [""])} <= {*(now or [""])}):
        said = f"`{new['name']}`: was {was!r}, is {now!r}: {_SAME['missingValues']}"
        yield Difference(f"{pointer}/missingValues", "missingValues", said)


def _is_as_wide(keyword: str, new: Any, old: Any) -> bool:
    """Whether the new limit lets through all that the old one did; None is no limit."""
    if new is None or new is False or new == old:
        return True
    if keyword == "pattern" and old is not None:
        characters = _characters(old)
        if characters and (allowed := _characters(new)):
            return characters <= allowed
        return Comparison(_whole(new), _whole(old)).is_covered
    if old is None or keyword not in (*_AT_LEAST, *_AT_MOST):
        return False
    least, most = (new, old) if keyword in _AT_LEAST else (old, new)
    return _order(least) <= _order(most)


@cache
def _characters(pattern: str) -> frozenset[str]:
    """What texts are made of where a pattern is one class of characters, else nothing.

    Inclusion of such classes is not seen by the comparison of schemas.
    """
    if not re.fullmatch(r"\^\[[^\[\]\\]+\]\+\$", pattern):
        return frozenset()
    return frozenset(re.findall(pattern[1:-2], "".join(map(chr, range(0x110000)))))


def _order(limit: Any) -> Decimal:
    """A number for a limit; `1970-01-01` is 19700101, so that days keep their order."""
    return Decimal(str(limit).replace("-", "") if isinstance(limit, str) else str(limit))


def _whole(pattern: str) -> Column:
    """A schema of the texts that match from end to end, as the validator wants it."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _shown(limits: Column, keyword: str) -> str:
    return repr(limits[keyword]) if keyword in limits else "not set"
