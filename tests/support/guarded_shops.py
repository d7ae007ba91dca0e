"""Shops whose days are drawn: trend, weekdays, holidays, chance; and days that go wrong.

How they are drawn; the guard's constants were chosen on seeds that the bench does not use:

- orders a day: 100 to 3,000 by the logarithm, growing by -20 % to +60 % a year, with a wave over
  the year of up to 15 %; days of the week differ by a standard deviation of 15 %; each day has 4 %
  to 10 % of its own, of which three tenths carry over to the next day; then Poisson
- holidays: New Year, 1 May, Christmas, New Year's Eve, Easter (fewer), 1 to 23 December (rising by
  up to 40 %), Black Friday with the three days after it (more), and two dates of each shop's own,
  the same each year (40 % fewer to 60 % more)
- 3 to 8 categories of unequal shares, each with 5 % of its own a day; an order has 1.6 lines of a
  category each; the money of a line varies by 0.8 of its mean
- returns: 3 % to 10 % of the orders, by chance

What goes wrong: the one file of a day is lost or doubled (with new ids, or it would be a
restatement), or one of two or three, each with an equal part of the orders; all prices of a day are
in cents; one category, any of them, is missing from a day; a fifth of a day's other orders are
returned too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FIRST_DAY = date(2022, 1, 3)
EASTER = (date(2022, 4, 17), date(2023, 4, 9), date(2024, 3, 31), date(2025, 4, 20))
LINES = 1.6
LINE_VARIATION = 0.8
REFUNDED = 0.2


@dataclass(frozen=True)
class Shop:
    """Numbers by day; `lines` and `revenue` by category and day."""

    volume: float
    noise: float
    orders: Floats
    returned: Floats
    items: Floats
    lines: Floats
    revenue: Floats

    def series(self) -> Mapping[str, tuple[Floats, Floats]]:
        """By name of a series: its numbers, and how many orders each rests on."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = {
                "orders": (self.orders, self.orders),
                "revenue": (self.revenue.sum(axis=0), self.orders),
                "items": (self.items, self.orders),
                "return_rate": (self.returned / self.orders, self.orders),
            }
        for number, (revenue, lines) in enumerate(zip(self.revenue, self.lines, strict=True)):
            found[f"category {number}"] = (revenue, lines)
        return found


def a_shop(seed: int, days: int = 1095, volume: float | None = None) -> Shop:
    """The shop of a seed; with a volume (orders a day) if it is not to be drawn."""
    draw = np.random.default_rng(seed)
    drawn = float(np.exp(draw.uniform(np.log(100), np.log(3000))))
    volume = drawn if volume is None else volume
    at = np.arange(days)
    growth = np.log1p(draw.uniform(-0.2, 0.6)) * at / 365
    wave = draw.uniform(0, 0.15) * np.sin(2 * np.pi * (at / 365.25 + draw.uniform()))
    weekdays = draw.normal(0, 0.15, 7)[at % 7]
    noise = float(draw.uniform(0.04, 0.10))
    logs = growth + wave + weekdays + _holidays(days, draw) + _of_days(noise, days, draw)
    orders = draw.poisson(volume * np.exp(logs)).astype(float)
    shares = draw.dirichlet(np.full(int(draw.integers(3, 9)), 3.0))
    by_day = np.exp(np.array([_of_days(0.05, days, draw) for _ in shares]))
    weights = shares[:, None] * by_day
    weights /= weights.sum(axis=0)
    lines = draw.poisson(orders * LINES * weights).astype(float)
    prices = draw.uniform(10, 80, len(shares))
    spread = LINE_VARIATION / np.sqrt(np.maximum(lines, 1))
    revenue = lines * prices[:, None] * np.maximum(0.05, draw.normal(1, spread))
    rate = draw.uniform(0.03, 0.10)
    return Shop(
        volume=volume,
        noise=noise,
        orders=orders,
        returned=draw.binomial(orders.astype(int), rate).astype(float),
        items=lines.sum(axis=0) + draw.poisson(lines.sum(axis=0) * 0.4),
        lines=lines,
        revenue=revenue,
    )


def _of_days(noise: float, days: int, draw: np.random.Generator) -> Floats:
    """What days have of their own, some of which carries over to the next."""
    fresh = draw.normal(0, noise * np.sqrt(1 - 0.3**2), days)
    for day in range(1, days):
        fresh[day] += 0.3 * fresh[day - 1]
    return fresh


def _holidays(days: int, draw: np.random.Generator) -> Floats:
    """By day, the logarithm of what a holiday makes of it; each shop has strengths of its own."""
    strength = draw.uniform(0.6, 1.2, 6)
    found = np.zeros(days)
    own = dict(zip(draw.integers(1, 366, 2), np.log(draw.uniform(0.6, 1.6, 2)), strict=True))
    for at in range(days):
        day = FIRST_DAY + timedelta(at)
        found[at] = own.get(day.timetuple().tm_yday, 0.0)
        friday = _black_friday(day.year)
        if (day.month, day.day) in ((1, 1), (12, 25)):
            found[at] = np.log(0.4) * strength[0]
        elif (day.month, day.day) in ((12, 24), (12, 26), (12, 31)):
            found[at] = np.log(0.6) * strength[1]
        elif (day.month, day.day) == (5, 1):
            found[at] = np.log(0.7) * strength[2]
        elif day in EASTER or day - timedelta(1) in EASTER:
            found[at] = np.log(0.65) * strength[3]
        elif day == friday:
            found[at] = np.log(2.2) * strength[4]
        elif 0 < (day - friday).days <= 3:
            found[at] = np.log(1.5) * strength[4]
        elif day.month == 12 and day.day <= 23:
            found[at] = np.log(1.4) * strength[5] * min(day.day, 20) / 20
    return found


def _black_friday(year: int) -> date:
    first = date(year, 11, 1)
    return first + timedelta((3 - first.weekday()) % 7 + 21 + 1)


FAULTS = ("lost file", "doubled file", "price in cents", "category gone", "refund wave")


def go_wrong(shop: Shop, fault: str, at: int, files: int, draw: np.random.Generator) -> Shop:
    """The shop with one of its days wrong; a file that is lost or doubled is one of `files`."""
    orders, returned, items = shop.orders.copy(), shop.returned.copy(), shop.items.copy()
    lines, revenue = shop.lines.copy(), shop.revenue.copy()
    if fault in ("lost file", "doubled file"):
        part = draw.binomial(int(orders[at]), 1 / files) / max(orders[at], 1)
        factor = 1 - part if fault == "lost file" else 1 + part
        for values in (orders, returned, items):
            values[at] = np.round(values[at] * factor)
        lines[:, at] = np.round(lines[:, at] * factor)
        revenue[:, at] *= factor
    elif fault == "price in cents":
        revenue[:, at] *= 100
    elif fault == "category gone":
        gone = int(draw.integers(len(lines)))
        items[at] = np.round(items[at] * (1 - lines[gone, at] / max(lines[:, at].sum(), 1)))
        lines[gone, at] = revenue[gone, at] = 0
    else:
        returned[at] += draw.binomial(int(orders[at] - returned[at]), REFUNDED)
    return Shop(shop.volume, shop.noise, orders, returned, items, lines, revenue)
