"""A row of amounts as a line of bars, each one character wide."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
NOTHING = "·"
WIDEST = 60


def sparkline(amounts: Sequence[Decimal | int | None], widest: int = WIDEST) -> str:
    """A bar for each amount, from 0 to the largest; `·` where there is none.

    More than `widest` are put together, as evenly as may be, and each bar is their sum.
    """
    cells = _put_together(amounts, widest)
    largest = max((cell for cell in cells if cell is not None), default=0)
    return "".join(_bar(cell, largest) for cell in cells)


def _bar(amount: Decimal | int | None, largest: Decimal | int) -> str:
    if amount is None:
        return NOTHING
    if largest <= 0 or amount <= 0:
        return BARS[0]
    return BARS[min(int(amount * len(BARS) / largest), len(BARS) - 1)]


def _put_together(
    amounts: Sequence[Decimal | int | None], widest: int
) -> list[Decimal | int | None]:
    count = len(amounts)
    cells = min(count, widest)
    cuts = [at * count // cells for at in range(cells + 1)] if cells else []
    found: list[Decimal | int | None] = []
    for begin, end in pairwise(cuts):
        there = [amount for amount in amounts[begin:end] if amount is not None]
        found.append(sum(there) if there else None)
    return found
