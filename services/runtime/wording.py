"""Counts, names, sizes and spans of time in words that people read."""

from collections.abc import Sequence


def plural(count: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(names: Sequence[object], most: int) -> str:
    """The first of the names, and how many more there are: `a, b and 1,200 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def size(size_bytes: int) -> str:
    """A size that people read: `512 B`, `3.4 KB`, `98.1 MB`."""
    for unit, divisor in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size_bytes >= divisor:
            return f"{size_bytes / divisor:,.1f} {unit}"
    return f"{size_bytes} B"


def duration(seconds: float | None) -> str | None:
    """A time span that people read: `45 s`, `3 min 5 s`, `2 h 10 min`; None stays None."""
    if seconds is None:
        return None
    minutes, left = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
