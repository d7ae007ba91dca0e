"""The guard and a plain three-sigma rule on the same drawn shops: what each finds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from services.guard.judging import NEEDED_DAYS, Judgement, Measure, Series, judge
from tests.support.guarded_shops import FAULTS, FIRST_DAY, Floats, Shop, a_shop, go_wrong

JUDGED_FROM = 70
SIGMA_DAYS = 56
Rule = Callable[[Series], tuple[Floats, Floats]]
"""By day of a series: NaN where it is not judged, and 1.0 where it is odd."""


def the_guard(series: Series) -> tuple[Floats, Floats]:
    found: Judgement = judge(series)
    return found.score, found.is_odd.astype(float)


def three_sigma(series: Series) -> tuple[Floats, Floats]:
    """Odd: over three standard deviations from the mean of the 56 days before."""
    padded = np.concatenate([np.full(SIGMA_DAYS, np.nan), series.values])
    before = sliding_window_view(padded, SIGMA_DAYS)[:-1]
    known = np.isfinite(before)
    count = known.sum(axis=1)
    mean = np.where(known, before, 0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, (before - mean[:, None]) ** 2, 0).sum(axis=1)
    sigma = np.maximum(np.sqrt(squares / np.maximum(count, 1)), 1e-9)
    score = np.where(count >= SIGMA_DAYS - 14, (series.values - mean) / sigma, np.nan)
    return score, (np.abs(score) > 3).astype(float)


RULES: Mapping[str, Rule] = {"guard": the_guard, "three sigma": three_sigma}


def series_of(shop: Shop, until: int | None = None, days: int | None = None) -> dict[str, Series]:
    """The shop's series up to a day (included), at most so many days of them."""
    last = len(shop.orders) if until is None else until + 1
    first = 0 if days is None else max(0, last - days)
    found = {}
    for name, (values, orders) in shop.series().items():
        measure = _measure(name)
        day = FIRST_DAY.fromordinal(FIRST_DAY.toordinal() + first)
        found[name] = Series(measure, day, values[first:last], orders[first:last])
    return found


def _measure(name: str) -> Measure:
    if name == "return_rate":
        return Measure.RATE
    return Measure.COUNT if name in ("orders", "items") else Measure.MONEY


@dataclass
class Tally:
    """Days that were cried over on clean shops, and faults that were found."""

    alarms: int = 0
    days: int = 0
    first_alarms: int = 0
    first_days: int = 0
    found: dict[tuple[str, int], list[tuple[float, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def false_alarms_a_year(self) -> float:
        """By series."""
        return self.alarms / self.days * 365

    def recall(self, fault: str, files: int | None = None, volume: float = 0) -> float:
        """Of one kind, where the day came in so many files, in shops of at least so many orders."""
        hits = [
            hit
            for (kind, came_in), all_of_it in self.found.items()
            for size, hit in all_of_it
            if kind == fault and files in (None, came_in) and size >= volume
        ]
        return sum(hits) / len(hits) if hits else float("nan")


def measured(seeds: Iterable[int], days: int = 1095, each: int = 3) -> dict[str, Tally]:
    """By rule, over the shops of these seeds; each fault on so many days of each shop.

    A day that goes wrong is judged as the service does: with the days before it and itself, no
    more of them than the service reads. It is found when any series of the day is odd.
    """
    tallies = {name: Tally() for name in RULES}
    for seed in seeds:
        shop, draw = a_shop(seed, days), np.random.default_rng(1_000_000 + seed)
        for name, rule in RULES.items():
            for series in series_of(shop).values():
                score, odd = rule(series)
                tallies[name].alarms += int(odd[JUDGED_FROM:].sum())
                tallies[name].days += int(np.isfinite(score[JUDGED_FROM:]).sum())
                tallies[name].first_alarms += int(odd[JUDGED_FROM:365].sum())
                tallies[name].first_days += int(np.isfinite(score[JUDGED_FROM:365]).sum())
        for fault in FAULTS:
            whole = fault not in ("lost file", "doubled file")
            for files in (1,) if whole else (1, 2, 3):
                for at in draw.integers(JUDGED_FROM, days, each):
                    wrong = go_wrong(shop, fault, int(at), files, draw)
                    shown = series_of(wrong, int(at), NEEDED_DAYS + 1).values()
                    for name, rule in RULES.items():
                        hit = any(rule(series)[1][-1] for series in shown)
                        tallies[name].found[fault, files].append((shop.volume, bool(hit)))
    return tallies
