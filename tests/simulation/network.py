"""Queues and the event bus: at least once, in any order, sometimes late, never lost for good."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from services.runtime.event_store.dynamodb import to_item
from tests.simulation.hub import Signal

if TYPE_CHECKING:
    from contracts.envelope import Message
    from tests.simulation.world import World

MAX_RECEIVES = 5
RELAY_BATCH = 100
SHARDS = 2
A_MOMENT = 1e-6
"""Seconds: a bell that rings when a message is to be seen may be a rounding error early."""


@dataclass
class Sent:
    """One message in a queue."""

    message_id: str
    body: str
    visible_at: float
    receives: int = 0
    receipt: int = 0


class Queue:
    """SQS: a message that was received comes again unless it is deleted in time."""

    def __init__(self, world: World, name: str, visibility_seconds: float) -> None:
        self._world, self.name, self.visibility_seconds = world, name, visibility_seconds
        self._numbers = itertools.count(1)
        self.messages: dict[str, Sent] = {}
        self.dead: list[Sent] = []
        self.refused: list[tuple[str, str]] = []
        self.arrived = Signal(world.hub)
        self.on_arrival: Callable[[], object] = lambda: None

    def send(self, body: str, delay: float = 0.0) -> None:
        """Keep it, twice if the seed says so, visible after a moment or a long one."""
        chaos, place = self._world.chaos, f"{self.name} send"
        fault = chaos.fault(place, "duplicated", "delayed")
        self._add(body, delay + chaos.uniform(place, 0.002, 0.05))
        if fault == "duplicated":
            self._add(body, delay + chaos.uniform(place, 0.0, 300.0))
        elif fault == "delayed":
            self.messages[next(reversed(self.messages))].visible_at += chaos.uniform(place, 1, 400)
        self._ring_for(next(reversed(self.messages.values())))

    def receive(self, limit: int, visibility_seconds: float | None = None) -> list[Sent]:
        """Up to `limit` visible messages, in no order; invisible to others from now on."""
        hidden_for = visibility_seconds or self.visibility_seconds
        now, chaos = self._world.hub.now, self._world.chaos
        visible = [one for one in self.messages.values() if one.visible_at <= now + A_MOMENT]
        taken: list[Sent] = []
        while visible and len(taken) < limit:
            one = visible.pop(chaos.below(f"{self.name} order", len(visible)))
            one.receives += 1
            if one.receives > MAX_RECEIVES:
                self._world.tell(f"{self.name}: dead letter {one.message_id}")
                self.dead.append(self.messages.pop(one.message_id))
                continue
            one.receipt += 1
            one.visible_at = now + hidden_for
            self._ring_for(one)
            if chaos.fault(f"{self.name} receive", "lost") is None:
                taken.append(one)
            else:
                self._world.tell(f"{self.name}: answer with {one.message_id} lost")
        return taken

    def delete(self, message_id: str, _receipt: int) -> None:
        """Forget it; an old receipt is as good, once."""
        self.messages.pop(message_id, None)

    def show_again(self, message_id: str, receipt: int, seconds: float) -> None:
        """ChangeMessageVisibility; nothing if somebody else has received it since."""
        sent = self.messages.get(message_id)
        if sent is not None and sent.receipt == receipt:
            sent.visible_at = self._world.hub.now + seconds
            self._ring_for(sent)

    def move_back(self) -> int:
        """An operator sends the dead letters back where they came from."""
        dead, self.dead = self.dead, []
        for one in dead:
            self.send(one.body)
        return len(dead)

    def put(self, queue_name: str, body: str, reason: str) -> None:
        """DeadLetters: kept with its reason."""
        self._world.queues[queue_name].refused.append((body, reason))

    def _add(self, body: str, delay: float) -> None:
        message_id = f"{self.name}-{next(self._numbers)}"
        self.messages[message_id] = Sent(message_id, body, self._world.hub.now + delay)
        self._ring_for(self.messages[message_id])

    def _ring_for(self, sent: Sent) -> None:
        self._world.hub.at(max(0.0, sent.visible_at - self._world.hub.now), self._ring)

    def _ring(self) -> None:
        self.arrived.give()
        self.on_arrival()


class Bus:
    """EventBridge: rules by detail-type, targets are queues."""

    def __init__(self, world: World, rules: Mapping[str, Sequence[str]]) -> None:
        self._world, self._rules = world, rules
        self.accepted: set[str] = set()

    def put_events(self, Entries: list[dict[str, str]]) -> dict[str, Any]:
        """PutEvents: entry by entry, some may be refused while the call succeeds."""
        self._world.touch("bus put_events")
        answers: list[dict[str, str]] = []
        for entry in Entries:
            if self._world.chaos.fault("bus entry", "refused entry"):
                answers.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
                continue
            self._take(entry)
            answers.append({"EventId": self._world.new_id()})
        failed = sum("ErrorCode" in answer for answer in answers)
        return {"FailedEntryCount": failed, "Entries": answers}

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """An event of AWS itself."""
        self._route(detail_type, "aws", dict(detail))

    def _take(self, entry: Mapping[str, str]) -> None:
        detail = json.loads(entry["Detail"])
        self.accepted.add(detail["event_id"])
        self._route(entry["DetailType"], entry["Source"], detail)

    def _route(self, detail_type: str, source: str, detail: Mapping[str, Any]) -> None:
        for queue in self._rules.get(detail_type, ()):
            event = {
                "id": self._world.new_id(),
                "detail-type": detail_type,
                "source": source,
                "detail": detail,
            }
            self._world.queues[queue].send(json.dumps(event))


class Stream:
    """The event store's change stream: shards in order, each given to the relay until it takes.

    The order is that of an item, and every event is an item of its own: with ParallelizationFactor
    (Lambda developer guide, DynamoDB streams) two events of one stream go different ways.
    """

    def __init__(self, world: World, relay: Callable[..., dict[str, Any]], bus: Bus) -> None:
        self._world, self._relay, self._bus = world, relay, bus
        self._shards: list[list[dict[str, Any]]] = [[] for _ in range(SHARDS)]
        self._busy = [False] * SHARDS
        self._numbers = itertools.count(1)

    @property
    def is_drained(self) -> bool:
        return not any(self._shards) and not any(self._busy)

    def add(self, messages: Iterable[Message]) -> None:
        """Records of events that were just stored."""
        for message in messages:
            shard = crc32(f"{message.stream_id}#{message.stream_version}".encode()) % SHARDS
            record = {
                "eventName": "INSERT",
                "dynamodb": {
                    "NewImage": to_item(message),
                    "SequenceNumber": f"{next(self._numbers)}",
                },
            }
            self._shards[shard].append(record)
            self._begin(shard, self._world.chaos.uniform("stream", 0.01, 0.2))

    def _begin(self, shard: int, delay: float) -> None:
        if not self._busy[shard] and self._shards[shard]:
            self._busy[shard] = True
            self._world.hub.at(delay, lambda: self._invoke(shard))

    def _invoke(self, shard: int) -> None:
        records = self._shards[shard][:RELAY_BATCH]
        process = self._world.process("event-relay", shard)
        task = self._world.hub.spawn(
            "event-relay", lambda: self._relay(records, self._bus, "ecommerce-pipeline"), process
        )

        def settle() -> None:
            task.done.wait()
            failures = [] if task.error is None else [{"itemIdentifier": "all"}]
            if task.error is None:
                failures = task.result["batchItemFailures"]
            taken = _taken(records, failures)
            del self._shards[shard][:taken]
            self._busy[shard] = False
            self._begin(shard, 0.05 if not failures else 1.0)

        self._world.hub.spawn("event-relay mapping", settle)


def _taken(records: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, str]]) -> int:
    """How many records of the batch are done: those before the first that failed."""
    if not failures:
        return len(records)
    failed = {failure["itemIdentifier"] for failure in failures}
    if "all" in failed:
        return 0
    return next(n for n, one in enumerate(records) if one["dynamodb"]["SequenceNumber"] in failed)
