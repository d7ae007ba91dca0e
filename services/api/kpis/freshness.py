"""Which days have KPIs, and which sources are late; pure, the present instant is passed in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from contracts.clock import from_rfc3339
from services.api.kpis.periods import DAY, Span

STAMPS = ("updated_at", "batch_id", "epoch")
KNOWN_GAPS = 2
"""Of fewer gaps between days of arrival nothing can be said of how often a source's files come."""
LATE_AFTER_GAPS = 2
SELDOM = frozenset({"products"})
"""A batch needs none of these (docs/design.md, Aggregation): only their own rhythm is expected."""


def days_of(span: Span, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each day of the span: `published` by which batch and when, or `missing`."""
    published = {item["order_date"]: item for item in items}
    found = []
    for day in map(str, span.dates()):
        item = published.get(day)
        stamps = dict.fromkeys(STAMPS) if item is None else {name: item[name] for name in STAMPS}
        state = "missing" if item is None else "published"
        found.append({"order_date": day, "state": state, **stamps})
    return found


@dataclass(frozen=True)
class Rhythm:
    """How often a source's files come. Days; `usual_gap` is None where that is not known."""

    source: str
    arrived_at: str | None
    usual_gap: float | None
    late_after: float | None
    is_late: bool


def rhythm_of(
    source: Mapping[str, Any], days: Iterable[date], now: datetime, late_after: int
) -> Rhythm:
    """Whether a source of the views is late.

    `days`: those on which its files came, as far as they are known. Late is who has sent nothing
    for twice the usual gap between them, of which the median is taken; where that is not known, for
    `late_after` days."""
    came = sorted(set(days))
    gaps = [(later - earlier).days for earlier, later in pairwise(came)]
    usual = float(median(gaps)) if len(gaps) >= KNOWN_GAPS else None
    name, arrived_at = str(source["source"]), source.get("arrived_at")
    allowed: float | None = late_after
    if usual is not None:
        allowed = LATE_AFTER_GAPS * usual
    elif name in SELDOM:
        allowed = None
    is_late = False
    if allowed is not None and arrived_at:
        is_late = now - from_rfc3339(arrived_at) > timedelta(days=allowed)
    return Rhythm(name, arrived_at, usual, allowed, is_late)


def days_of_arrival(files: Iterable[Mapping[str, Any]]) -> dict[str, set[date]]:
    """By source, the days (UTC) on which files of it were validated, from their views."""
    found: dict[str, set[date]] = {}
    for file in files:
        day = from_rfc3339(file["validated_at"]).date()
        found.setdefault(str(file["source"]), set()).add(day)
    return found


def what_is_missing(
    yesterday: date, has_kpis: bool, rhythms: Sequence[Rhythm], now: datetime
) -> list[str]:
    """A sentence for each thing that daily numbers lack; none when all is there."""
    said = []
    if not has_kpis:
        said.append(f"{yesterday} (yesterday, UTC) has no KPIs")
    for one in rhythms:
        if not one.is_late or one.arrived_at is None:
            continue
        age = (now - from_rfc3339(one.arrived_at)) / DAY
        allowed = (
            f"{one.late_after:g} are allowed"
            if one.usual_gap is None
            else f"files come every {_days(one.usual_gap)}, so {one.late_after:g} are allowed"
        )
        said.append(f"{one.source} is late: its last file came {age:.1f} days ago; {allowed}")
    return said


def _days(count: float) -> str:
    return "day" if count == 1 else f"{count:g} days"
