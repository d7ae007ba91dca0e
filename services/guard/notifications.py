"""What people are told: which numbers are odd, which are so no longer, and how to see why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.messages import KpiAnomalyDetected, KpiAnomalyResolved
from contracts.printable import printable
from services.runtime.wording import plural

NAMED = 20
MAX_SUBJECT_CHARACTERS = 100
"""Limit of an SNS subject (AWS API reference)."""
MAX_MESSAGE_CHARACTERS = 20_000
NAMES = {
    "orders": "orders",
    "revenue": "revenue",
    "items": "items sold",
    "return_rate": "return rate",
}


@dataclass(frozen=True)
class SnsNotification:
    """One notification."""

    subject: str
    message: str


def told(said: Sequence[KpiAnomalyDetected | KpiAnomalyResolved]) -> SnsNotification:
    """All of it in one message."""
    odd = [event for event in said if isinstance(event, KpiAnomalyDetected)]
    mended = [event for event in said if isinstance(event, KpiAnomalyResolved)]
    lines: list[str] = []
    if odd:
        lines += [
            f"{plural(len(odd), 'number')} far from what the days before let expect. They are "
            "published as the files state them; nothing waits for this.",
            *_listed(_sentence(event) for event in _widest_first(odd)),
            _advice(odd),
        ]
    if mended:
        lines += [
            f"{plural(len(mended), 'number')} odd before, and no longer:",
            *_listed(
                f"{event.order_date} {_name(event)}: {_number(event, event.value)}, "
                f"was {_number(event, event.odd_value)}"
                for event in mended
            ),
        ]
    days = sorted({event.order_date for event in odd or mended})
    of_days = days[0] if len(days) == 1 else f"{plural(len(days), 'day')} from {days[0]}"
    subject = (
        f"KPIs of {of_days}: {plural(len(odd), 'odd number')}"
        if odd
        else f"KPIs of {of_days}: no longer odd"
    )
    text = "\n".join(map(printable, lines))
    return SnsNotification(
        printable(subject)[:MAX_SUBJECT_CHARACTERS], text[:MAX_MESSAGE_CHARACTERS]
    )


def _advice(odd: Sequence[KpiAnomalyDetected]) -> str:
    first = min(event.order_date for event in odd)
    one = _widest_first(odd)[0]
    name = "orders" if one.category is None else f'"{one.category}"'
    return (
        f"What to do: `ecp why {name} {one.order_date}` shows the files and batches behind it. "
        "If a file is missing or wrong, send it (again): the days are computed anew, and this is "
        "taken back. If the number is right, do nothing. "
        f"`ecp kpis anomalies --from {first}` lists what stands."
    )


def _widest_first(odd: Sequence[KpiAnomalyDetected]) -> list[KpiAnomalyDetected]:
    return sorted(odd, key=lambda event: (event.category is not None, -abs(event.score)))


def _sentence(event: KpiAnomalyDetected) -> str:
    return (
        f"{event.order_date} {_name(event)}: {_number(event, event.value)}, expected "
        f"{_number(event, event.expected)} ({_number(event, event.lowest)} to "
        f"{_number(event, event.highest)})"
    )


def _name(event: KpiAnomalyDetected | KpiAnomalyResolved) -> str:
    return NAMES.get(event.series) or f"revenue of {event.category}"


def _number(event: KpiAnomalyDetected | KpiAnomalyResolved, value: float) -> str:
    if event.series == "return_rate":
        return f"{value:.1%}"
    return f"{value:,.0f}" if event.series in ("orders", "items") else f"{value:,.2f}"


def _listed(lines: Iterable[str]) -> list[str]:
    every = [f"  {line}" for line in lines]
    if len(every) > NAMED:
        return [*every[:NAMED], f"  and {len(every) - NAMED:,} more"]
    return every
