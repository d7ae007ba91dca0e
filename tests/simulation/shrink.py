"""Fewest faults that still break the promise: halves first, then one by one (delta debugging)."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shrink(faults: Sequence[str], fails: Callable[[frozenset[str]], bool]) -> list[str]:
    """A subset of `faults` with which `fails` still holds, and of which none can be left out."""
    kept = list(dict.fromkeys(faults))
    size = max(1, len(kept) // 2)
    while True:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            if len(fewer) < len(kept) and fails(frozenset(fewer)):
                kept = fewer
            else:
                start += size
        if size == 1:
            return kept
        size = max(1, size // 2)
