"""What goes wrong, and when: drawn from one seed, place by place, so that each fault has a name.

Whether the n-th call at a place fails depends on the seed, the place and n only. A fault can so
be left out (shrinking) without moving the others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from zlib import crc32

MASK = (1 << 64) - 1
KINDS = (
    "crash before",
    "crash after",
    "throttled",
    "ambiguous",
    "slow",
    "frozen",
    "duplicated",
    "delayed",
    "lost",
    "refused entry",
    "stale read",
    "notice lost",
    "no capacity",
    "deployment",
)
"""In the order in which one draw is divided among those that a place may have."""
RATES = (0.0, 0.0, 0.004, 0.015, 0.05)
NETWORK_RATES = (0.0, 0.0, 0.01, 0.05, 0.25)
NETWORK = {"duplicated", "delayed", "lost", "refused entry", "stale read", "notice lost"}
"""These cost a world little time, and only together do they show much."""
FOCI = ("transformer", "catalog", "lock", "archiver", "aggregator", "SendTask", "none")
"""Most seeds have it in for one part: its calls fail so many times as often."""
FOCUS_FACTOR = 6.0
CALM_SEEDS = 8
"""One seed in so many has no faults at all: then nothing may fail."""


def mix(*numbers: int) -> int:
    """64 well mixed bits (splitmix64)."""
    value = 0
    for number in numbers:
        value = (value ^ number) * 0x9E3779B97F4A7C15 & MASK
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
        value ^= value >> 31
    return value


@dataclass
class Chaos:
    """`only`: if given, the names of the faults that may happen."""

    seed: int
    only: frozenset[str] | None = None
    active: bool = True
    fired: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _places: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, kind in enumerate(KINDS):
            drawn = mix(self.seed, 77, number) % len(RATES)
            rates = NETWORK_RATES if kind in NETWORK else RATES
            self.rates[kind] = 0.0 if self.is_calm else rates[drawn]
        for kind in ("frozen", "crash before", "crash after"):
            self.rates[kind] = min(self.rates[kind], RATES[3])
        self.focus = FOCI[mix(self.seed, 78) % len(FOCI)]

    @property
    def is_calm(self) -> bool:
        """Whether this seed has no faults."""
        return self.seed % CALM_SEEDS == 0

    def fault(self, place: str, *kinds: str) -> str | None:
        """The fault that happens here and now, of those that can; None: all goes well."""
        if not self.active or self.is_calm:
            return None
        number = self._count(place)
        drawn = mix(self.seed, self._place(place), number) / MASK
        factor = FOCUS_FACTOR if place.startswith(self.focus) else 1.0
        for kind in kinds:
            rate = self.rates[kind] * factor
            if drawn < rate:
                name = f"{place}#{number} {kind}"
                if self.only is not None and name not in self.only:
                    return None
                self.fired.append(name)
                return kind
            drawn -= rate
        return None

    def happens(self, name: str) -> bool:
        """Whether a fault that was planned by name happens."""
        if not self.active or self.is_calm or (self.only is not None and name not in self.only):
            return False
        self.fired.append(name)
        return True

    def uniform(self, place: str, low: float, high: float) -> float:
        """A number that has nothing to do with faults: latency, jitter."""
        place = f"{place}~"
        drawn = mix(self.seed, self._place(place), self._count(place)) / MASK
        return low + drawn * (high - low)

    def below(self, place: str, count: int) -> int:
        """A whole number from 0 up to, without, `count`."""
        place = f"{place}~"
        return mix(self.seed, self._place(place), self._count(place)) % count

    def _count(self, place: str) -> int:
        self._counts[place] += 1
        return self._counts[place]

    def _place(self, place: str) -> int:
        known = self._places.get(place)
        if known is None:
            known = self._places[place] = crc32(place.encode())
        return known
