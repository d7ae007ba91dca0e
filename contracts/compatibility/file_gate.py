"""Whether a file contract still takes every file that an earlier one took.

A CSV file names no version of its contract, so there is no way around this by a new version: v2
takes what v1 took.
"""

from collections.abc import Iterator
from decimal import Decimal
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
    for index, column in enumerate(new["fields"]):
        pointer, name = f"/fields/{index}", column["name"]
        if name not in before:
            yield Difference(
                pointer, "new", f"column `{name}` is new: files without it are rejected"
            )
        else:
            yield from _column_differences(column, before[name], pointer)


def _column_differences(new: Column, old: Column, pointer: str) -> Iterator[Difference]:
    name = new["name"]
    for keyword in ("type", "format"):
        if new.get(keyword) != old.get(keyword):
            said = f"`{name}` was {old.get(keyword)}, is {new.get(keyword)}"
            yield Difference(f"{pointer}/{keyword}", keyword, said)
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


def _is_as_wide(keyword: str, new: Any, old: Any) -> bool:
    """Whether the new limit lets through all that the old one did; None is no limit."""
    if new is None or new is False or new == old:
        return True
    if keyword == "pattern" and old is not None:
        return Comparison(_whole(new), _whole(old)).is_covered
    if old is None or keyword not in (*_AT_LEAST, *_AT_MOST):
        return False
    least, most = (new, old) if keyword in _AT_LEAST else (old, new)
    return _order(least) <= _order(most)


def _order(limit: Any) -> Decimal:
    """A number for a limit; `1970-01-01` is 19700101, so that days keep their order."""
    return Decimal(str(limit).replace("-", "") if isinstance(limit, str) else str(limit))


def _whole(pattern: str) -> Column:
    """A schema of the texts that match from end to end, as the validator wants it."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _shown(limits: Column, keyword: str) -> str:
    return repr(limits[keyword]) if keyword in limits else "not set"
