"""Which categories moved most between two spans; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.api.console.shown import CATEGORY_REVENUE

SHOWN = 5
NAME = CATEGORY_REVENUE.name


@dataclass(frozen=True)
class Mover:
    """A category's revenue in the span and in the one before it."""

    category: str
    now: Decimal
    before: Decimal

    @property
    def difference(self) -> Decimal:
        """What the span has more."""
        return self.now - self.before


def top_movers(totals: Iterable[Mapping[str, Any]], most: int = SHOWN) -> list[Mover]:
    """The categories whose revenue changed most, up or down, the largest change first.

    A category that one of the spans lacks had no revenue there.
    """
    found = []
    for total in totals:
        before = (total["compared"] or {}).get(NAME, Decimal(0))
        found.append(Mover(total["category"], Decimal(total[NAME]), Decimal(before)))
    moved = [one for one in found if one.difference]
    return sorted(moved, key=lambda one: (-abs(one.difference), one.category))[:most]
