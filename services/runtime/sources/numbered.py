"""Numbered columns of a header: `Line Item 1 SKU`, `Line Item 2 SKU` are `Line Item {n} SKU`."""

import re
from collections.abc import Sequence

from services.runtime.csv_files.texts import plain_text

NUMBER = "{n}"


def numbered_places(names: Sequence[str], header: Sequence[str]) -> dict[str, dict[int, int]]:
    """By name, the number and the place of each column of the header that is called so.

    A name that no column has is left away; where a number stands twice the first column counts.
    """
    found: dict[str, dict[int, int]] = {}
    for name in filter(lambda name: NUMBER in name, names):
        pattern = pattern_of(plain_text(name))
        for place, each in enumerate(header):
            if match := pattern.fullmatch(each):
                found.setdefault(plain_text(name), {}).setdefault(int(match[1]), place)
    return found


def pattern_of(name: str) -> re.Pattern[str]:
    """What columns of a numbered name are called, in whatever case."""
    before, _, after = name.partition(NUMBER)
    return re.compile(rf"{re.escape(before)}([0-9]{{1,4}}){re.escape(after)}", re.IGNORECASE)
