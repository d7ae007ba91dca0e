"""How far the lock and the transformer have come with their fences, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.envelope import Message
from infra.ecp.names import LOCK_ID, LOCK_TABLE, TRANSFORMER_STATE_TABLE, table
from services.runtime.event_store import EventStore
from services.runtime.fences import LEAP
from services.runtime.storage import items

LOCK_STREAM = f"lock/{LOCK_ID}"


@dataclass(frozen=True)
class Fences:
    """`granted`: the highest fence that the lock gave or may have given; `seen`: by the
    transformer. `forgotten`: the lock's table remembers events that its stream does not hold.
    `stream_version`: where the stream ends, 0 when that is not known.
    """

    granted: int
    seen: int
    forgotten: bool
    stream_version: int

    @property
    def lock_is_behind(self) -> bool:
        """Whether the next grant might be refused as stale."""
        return self.forgotten or self.seen > self.granted

    @property
    def transformer_is_behind(self) -> bool:
        """Whether a real grant would be taken for one that never was; half the way is enough."""
        return not self.forgotten and self.granted > self.seen + LEAP // 2

    @property
    def next_step(self) -> int:
        """The fence to raise the lock to: one message takes it so far and no further."""
        return max(1, min(self.seen, self.granted + LEAP))

    @property
    def next_admission(self) -> int:
        """The fence to admit to the transformer: one message takes it so far and no further."""
        return min(self.granted, self.seen + LEAP)


def read_fences(dynamodb: Any, store: EventStore) -> Fences:
    """From the two tables and the end of the lock's stream."""
    lock = items.get_item(dynamodb, table(LOCK_TABLE), {"LockId": LOCK_ID}) or {}
    state = items.get_item(dynamodb, table(TRANSFORMER_STATE_TABLE), {"StateId": "facts"}) or {}
    return fences_of(lock, state, lambda after: store.read(LOCK_STREAM, after))


def fences_of(lock: Any, state: Any, read_after: Any) -> Fences:
    """The same from the items; `read_after` gives the lock's events above a version."""
    version = int(lock.get("stream_version", 0))
    tail: Sequence[Message] = read_after(max(0, version - 1))
    newest = max((event.stream_version for event in tail), default=0)
    raised = [event.data.fence for event in tail if event.event_type == "FenceRaised"]
    return Fences(
        granted=max([int(lock.get("highest_fence", 0)), version, newest, *raised]),
        seen=int(state.get("fence", 0)),
        forgotten=version > 0 and not tail,
        stream_version=newest,
    )
