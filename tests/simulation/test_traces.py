"""The traces of simulated batches: whatever crashes, comes twice or late, no tree is broken."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from services.runtime.observability import tracing
from services.runtime.observability.spans import Span
from tests.simulation import strangers
from tests.simulation.run import run_seed, simulated

SEEDS = range(60)


class Kept:
    """Takes spans as a collector would, and keeps them."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, spans: list[Span]) -> None:
        self.spans += spans

    def flush(self) -> None: ...


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    outbox = Kept()
    monkeypatch.setattr(tracing, "outbox", outbox)
    monkeypatch.setattr(tracing, "is_on", lambda: True)
    # What strangers send was sent by nobody whose span there could be.
    monkeypatch.setattr(strangers, "MOST_DEEDS", 0)
    with simulated():
        yield outbox


def test_every_span_has_its_parent_and_every_batch_one_root(kept: Kept) -> None:
    handled, came_again = 0, 0
    for seed in SEEDS:
        kept.spans = []
        run_seed(seed)
        traces = defaultdict(list)
        for span in kept.spans:
            traces[span.trace_id].append(span)
        for spans in traces.values():
            there = {span.span_id for span in spans}
            orphans = [span for span in spans if span.parent_id and span.parent_id not in there]
            assert orphans == [], f"seed {seed}"
            assert len({span.span_id for span in spans if not span.parent_id}) == 1, f"seed {seed}"
            handlings = [span for span in spans if span.kind == "CONSUMER"]
            assert len({span.span_id for span in handlings}) == len(handlings)
            handled += len(handlings)
            came_again += len(handlings) - len({span.parent_id for span in handlings})
    assert handled > 1000
    assert came_again > 20
