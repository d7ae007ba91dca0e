"""A quarantined row made plain: its text with a caret under what is wrong, and what to do."""

import csv
import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.file_contracts import file_contract
from contracts.layout import KINDS, source_of

LONGEST_SHOWN = 160  # characters of a raw line before it is cut around the caret

_QUOTED = re.compile(r"""'([^']+)'|"([^"]+)\"""")


def pointed_at(row: Mapping[str, Any]) -> tuple[str, str]:
    """The raw line, cut if long, and a line of carets under the part at fault.

    The part is the value that the message quotes, else the column's field where the line has the
    contract's columns; a fault of the whole line is underlined whole.
    """
    raw = (row["raw"] or "").rstrip("\r\n").split("\n", 1)[0].replace("\t", " ")
    start, end = _span(raw, row) or (0, max(len(raw), 1))
    cut = max(0, min(start - LONGEST_SHOWN // 2, len(raw) - LONGEST_SHOWN))
    shown = raw[cut : cut + LONGEST_SHOWN]
    width = max(1, min(end, cut + LONGEST_SHOWN) - start)
    lead = "..." if cut else ""
    tail = "..." if cut + LONGEST_SHOWN < len(raw) else ""
    return lead + shown + tail, " " * (len(lead) + start - cut) + "^" * width


def advice(row: Mapping[str, Any]) -> str:
    """What to do about the rule that a row broke (`<column>.<constraint>` or `record.<fault>`)."""
    rule = str(row["rule"])
    for pattern, said in _ADVICE:
        if re.search(pattern, rule):
            return said
    return f"correct {row['column'] or 'the line'}"


def resubmission(name: str, kinds: Iterable[str]) -> str:
    """How the corrected rows get in; `name` is the key or the batch that they are of."""
    files = " ".join(f"corrections/{kind}.csv" for kind in sorted(kinds))
    return (
        f"`ecp quarantine export {name} --to corrections` writes them to {files}: correct them "
        f"there, then `ecp quarantine replay {files} --wait`."
    )


def replacement(key: str) -> str:
    """How a file that was refused whole gets in."""
    if name := source_of(key):
        return (
            f"`ecp quarantine export {key} --to FILE` gives {key} back as it came: correct it, or "
            f"its source (`ecp sources add`), then `ecp submit FILE --source {name}`; the rest of "
            "its batch waits for it."
        )
    return f"`ecp quarantine export {key} --to FILE` gives {key} back as it came: {ONCE_GIVEN_BACK}"


ONCE_GIVEN_BACK = (
    "correct it, then upload it again under its key (`ecp submit`); the rest of its batch waits "
    "for it."
)
_ADVICE = (
    (r"^record\.quote", 'close every quote, and double those inside a field: "24"" screen"'),
    (
        r"^record\.fields",
        "write as many fields as the header has; quote a field with a comma in it",
    ),
    (r"^record\.length", "shorten the line; a record has at most 1 MiB"),
    (r"\.required$", "every row needs this value: fill it in"),
    (r"_date\.format$", "write a real day as YYYY-MM-DD"),
    (r"_date\.(minimum|maximum)$", "a day from 1970-01-01 to tomorrow is accepted"),
    (r"^quantity\.", "write a whole number from 1 to 1,000,000"),
    (
        r"(amount|price)\.",
        "write a plain number from 0 to 9,999,999,999.99 with at most two decimals, "
        "without symbols or thousands separators",
    ),
    (r"_id\.", "an id has 1 to 64 printable characters"),
    (r"^status\.", "write one word such as completed or returned"),
)


def _span(raw: str, row: Mapping[str, Any]) -> tuple[int, int] | None:
    if row["column"] is None:
        return None
    for match in _QUOTED.finditer(row["message"] or ""):
        value = match[1] or match[2]
        places = [found.start() for found in re.finditer(re.escape(value), raw)]
        if len(places) == 1:
            return places[0], places[0] + len(value)
    return _field_span(raw, row)


def _field_span(raw: str, row: Mapping[str, Any]) -> tuple[int, int] | None:
    if row["kind"] not in KINDS:
        return None
    columns = file_contract(row["kind"]).required_columns
    if row["column"] not in columns or '"' in raw:
        return None
    fields = next(csv.reader([raw]), [])
    if len(fields) != len(columns):
        return None
    index = columns.index(row["column"])
    start = sum(len(field) + 1 for field in fields[:index])
    return start, start + max(len(fields[index]), 1)
