"""What somebody who is no part of the pipeline does to it: bytes, forged fences, a table put back.

None of it may stop anybody: what is no message is kept with the reason on first sight, a fence that
the lock never granted changes nothing, and a transformer that has seen more than the lock remembers
costs the batch in work at most.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from contracts.messages import AbandonBatch, ExtendLease, ReleaseLock
from services.runtime.fences import LEAP
from tests.simulation.checks import Violation
from tests.support.hostile_bodies import HOSTILE

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_DEEDS = 4
LAST_AT = 1200.0
LOCK_ID = "ecommerce-pipeline-lock"
STRANGER = "feedfacefeedface"
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:ecsJob:stranger"
QUICK = {
    name: body
    for name, body in HOSTILE.items()
    if len(body) < 10_000 and name != "an event with a token"
}
"""All but the long ones, and one that fails a task that the world knows nothing of."""
FORGED = (1, 40, LEAP, LEAP + 1_000, 1_000_000_000, 2**53 - 1)
"""How far above the highest fence that the lock granted."""


class Strangers:
    """Deeds at moments that the seed gives, each a fault with a name."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: Counter[tuple[str, str]] = Counter()
        self.forged: set[str] = set()
        self.put_back_to: set[int] = set()
        chaos = world.chaos
        for number in range(chaos.below("stranger", MOST_DEEDS + 1)):
            moment = chaos.uniform("stranger", 5.0, LAST_AT)
            deed = (self._send_bytes, self._forge, self._put_back)[chaos.below("stranger", 3)]
            world.hub.at(moment, lambda number=number, deed=deed: deed(number))

    def check(self, queue_name: str, refused: list[tuple[str, str]]) -> None:
        """All that a queue refused came from strangers, and all that they sent it was refused."""
        bodies = {body for body, _ in refused}
        strange = {body for name, body in self.sent if name == queue_name}
        for body, reason in refused:
            if body not in strange | self.forged:
                raise Violation(f"{queue_name} refused {body}: {reason}")
        for body in strange - bodies:
            raise Violation(f"{queue_name} was sent {body[:80]!r}, which is kept nowhere")
        if not all(reason for _, reason in refused):
            raise Violation(f"{queue_name} refused something for no reason")

    @property
    def were_here(self) -> bool:
        """Whether somebody may have seen a fence that the lock has not granted yet."""
        return bool(self.put_back_to or self.forged)

    def fence_is_real(self, fence: int, granted: Any) -> bool:
        """Whether the transformer may say that it saw this fence."""
        return fence in granted or fence in self.put_back_to

    def _send_bytes(self, number: int) -> None:
        chaos = self._world.chaos
        name = sorted(QUICK)[chaos.below("stranger", len(QUICK))]
        queue = sorted(self._world.queues)[chaos.below("stranger", len(self._world.queues))]
        if chaos.happens(f"stranger#{number} sends {name} to {queue}"):
            self._send(queue, QUICK[name], refused=True)

    def _forge(self, number: int) -> None:
        """A message that conforms, about a batch that nobody knows or a real one."""
        world, chaos = self._world, self._world.chaos
        leap = FORGED[chaos.below("stranger", len(FORGED))]
        fence = min(max(1, world.checks.lock.highest_fence) + leap, 2**53 - 1)
        open_batches = sorted(world.checks.status) or [STRANGER]
        known = open_batches[chaos.below("stranger", len(open_batches))]
        kind = chaos.below("stranger", 4)
        if not chaos.happens(f"stranger#{number} forges {kind} with fence {fence}"):
            return
        is_far = leap > LEAP  # and stays so, however many grants come before it is read
        if kind == 0:
            release = ReleaseLock(lock_id=LOCK_ID, execution_id=EXECUTION, fence=fence, attempt=0)
            self._send("lock-commands", self._body(release, known))
        elif kind == 1:
            extend = ExtendLease(lock_id=LOCK_ID, execution_id=EXECUTION, fence=fence)
            self._send("lock-commands", self._body(extend, known))
        else:
            batch_id = known if kind == 2 and is_far else STRANGER
            abandon = AbandonBatch(
                batch_id=batch_id, execution_id=EXECUTION, fence=fence, attempt=0
            )
            self._send("transformer-commands", self._body(abandon, batch_id))

    def _put_back(self, number: int) -> None:
        """The lock's stores were put back to an earlier time: the transformer has seen more."""
        world = self._world
        state = world.table.item("TransformerState", "facts")
        if state is None or state["in_flight"] is not None:
            return
        ahead = 1 + world.chaos.below("stranger", 60)
        if world.chaos.happens(f"stranger#{number} puts the lock back by {ahead}"):
            state["fence"] = max(world.checks.lock.highest_fence, state["fence"]) + ahead
            self.put_back_to.add(state["fence"])

    def _body(self, data: Any, batch_id: str) -> str:
        body = self._world.command(data, f"transformation/{batch_id}", batch_id).to_json()
        self.forged.add(body)
        return body

    def _send(self, queue: str, body: str, *, refused: bool = False) -> None:
        self._world.tell(f"a stranger sends {body[:120]!r} to {queue}")
        if refused:
            self.sent[queue, body] += 1
        self._world.queues[queue].send(body)
