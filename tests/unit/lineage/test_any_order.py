"""Events that come in another order, or twice, are told as they are in the right one."""

from collections.abc import Collection, Mapping
from itertools import permutations

import pytest
from openlineage.client.event_v2 import RunEvent
from openlineage.client.serde import Serde

from contracts.envelope import Message
from contracts.messages import BatchManifest, BatchResult, FileReport, ObjectRef
from services.lineage.use_cases import Ports, batch_changed
from tests.unit.lineage.batches import GOOD, HOSTILE, a_manifest, a_report, a_result, the_event

LIFE = (
    the_event("BatchStarted"),
    the_event("BatchFailed"),
    the_event("BatchStarted", attempt=1),
    the_event("BatchCompleted", attempt=1),
)


class Kept:
    """What the services wrote of the one batch, and what the backend was told of it."""

    def __init__(self) -> None:
        self.told: list[bytes] = []

    def manifest(self, _batch_id: str) -> BatchManifest:
        return a_manifest()

    def result(self, _ref: ObjectRef) -> BatchResult:
        return a_result()

    def reports(self, _batch_id: str, indexes: Collection[int]) -> Mapping[int, FileReport]:
        keys = (GOOD, HOSTILE)
        return {index: a_report(index, keys[index]) for index in indexes}

    def tell(self, event: RunEvent) -> None:
        self.told.append(Serde.to_json(event).encode())


def told_of(*events: Message) -> list[bytes]:
    kept = Kept()
    for event in events:
        batch_changed(event, Ports(kept, kept, "the-shop"))
    return kept.told


@pytest.mark.parametrize("order", list(permutations(range(len(LIFE)))), ids=str)
def test_each_event_is_told_alike_whatever_came_before_it(order: tuple[int, ...]) -> None:
    """A backend puts them in order by their times and runs."""
    right = told_of(*LIFE)
    assert len(set(right)) == len(LIFE)
    assert told_of(*(LIFE[index] for index in order)) == [right[index] for index in order]
    assert told_of(LIFE[order[0]], LIFE[order[0]])[1] == right[order[0]]
