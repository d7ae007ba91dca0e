"""Running seeds: the real code with the few substitutions that make it deterministic and fast."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from contracts import envelope, schemas
from services.archiver import use_cases as archiver
from services.runtime.event_store.port import retry_on_conflict
from services.transformer.batch import kpis, settle, transform
from tests.simulation import composition
from tests.simulation.world import Outcome, World

KPI_ITEMS_IN_A_TRANSACTION = 2
"""Small, so that a publication of a small world is cut into several, and can be cut short."""


@contextmanager
def simulated() -> Iterator[None]:
    """Inside, the real code waits on no real clock or thread."""

    def one_after_the_other(
        work: Callable[[Any], Any], items: Any, _ports: Any, _beat: Callable[[], None]
    ) -> list[Any]:
        return [work(item) for item in items]

    logging.disable(logging.CRITICAL)
    waiting = retry_on_conflict.__defaults__
    retry_on_conflict.__defaults__ = (8, _sleep, _half)
    try:
        with (
            patch.object(schemas, "find", cache(schemas.find)),
            patch.object(envelope, "kind_of_type", cache(envelope.kind_of_type)),
            patch.object(archiver, "_side_by_side", one_after_the_other),
            patch.object(kpis, "MAX_TRANSACTION_ITEMS", KPI_ITEMS_IN_A_TRANSACTION),
            patch.object(transform, "plan_merge", composition.compose),
            patch.object(transform, "write_kpis", composition.write_kpis),
            patch.object(transform, "own_changes", composition.own_changes),
            patch.object(settle, "kpis_between", composition.kpis_between),
        ):
            yield
    finally:
        retry_on_conflict.__defaults__ = waiting
        logging.disable(logging.NOTSET)


def run_seed(seed: int, only: frozenset[str] | None = None, *, is_told: bool = False) -> Outcome:
    """One world; call it inside `simulated()`."""
    return World(seed, only, is_told=is_told).run()


def _sleep(seconds: float) -> None:
    """A conflict is followed by other calls, which take simulated time themselves."""


def _half(longest: float) -> float:
    return longest / 2
