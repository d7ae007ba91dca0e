"""Who may write, how far a batch has come, and what its files amount to: pure decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from contracts.envelope import Message
from contracts.errors import PipelineError, StaleWriter
from contracts.messages import BatchAbandoned, KpisPublished, ObjectRef, TransformStarted
from services.runtime import fences
from services.transformer.facts.tables import Heads

Phase = Literal["FACTS", "PUBLISHING", "ABANDONING"]
STATE_ID = "facts"


@dataclass(frozen=True)
class InFlight:
    """The batch that the current epoch works on; PUBLISHING is past the point of no return."""

    batch_id: str
    phase: Phase
    attempt: int
    heads_before: Heads
    result: ObjectRef | None = None


@dataclass(frozen=True)
class TransformerState:
    """The item that every write of this service is conditional on (docs/design.md, Lock)."""

    epoch: int = 0
    fence: int = 0
    abandoned_fence: int = 0
    heads: Heads | None = None
    in_flight: InFlight | None = None
    pseudonym_check: str | None = None
    """Which keys made the pseudonyms of the facts at `heads`; None: no batch has said it yet."""
    currency: str | None = None
    """What the amounts of the facts are in (ISO 4217); None: no batch has said it yet."""

    @property
    def phase(self) -> str:
        """How far this epoch has come; an epoch only moves on, so both together name one state."""
        return self.in_flight.phase if self.in_flight else "SETTLED"

    def as_stored(self) -> Mapping[str, Any]:
        """What the item must still say for a change made from this state to be right.

        The epoch alone would not do: a slow owner may publish under it after this was read. Nor
        would both: a fence that was raised meanwhile must not be lowered by who read the older one.
        """
        if not self.epoch:
            return {"epoch": None}
        return {"epoch": self.epoch, "phase": self.phase, "fence": self.fence}

    def admit(self, fence: int, leap: int = fences.LEAP) -> None:
        """Raise StaleWriter when a holder of a newer lock grant was seen here.

        Raises Refused for a fence that no grant can have (services/runtime/fences.py).
        """
        fences.admit(fence, self.fence, leap)

    def standing(self, mains: Heads) -> Heads:
        """The heads that count: of tables that nothing was published of, where they stand."""
        return {**mains, **(self.heads or {})}

    def begin(self, batch_id: str, fence: int, attempt: int, mains: Heads) -> "TransformerState":
        """The next epoch, at work on a batch.

        `mains` are where the facts stand; they count only for tables that nothing was published of.
        Raises StaleWriter when the batch was abandoned under this grant.
        """
        _refuse_abandoned(batch_id, fence, self.abandoned_fence)
        return self._next("FACTS", batch_id, fence, attempt, mains)

    def begin_abandoning(
        self, batch_id: str, fence: int, attempt: int, mains: Heads
    ) -> "TransformerState":
        """The next epoch, at work on undoing a batch; later attempts under this grant are stale."""
        undoing = self._next("ABANDONING", batch_id, fence, attempt, mains)
        return replace(undoing, abandoned_fence=max(fence, self.abandoned_fence))

    def take_over(self, fence: int) -> "TransformerState":
        """The next epoch, which finishes what the one before had begun to publish."""
        return replace(self, epoch=self.epoch + 1, fence=max(fence, self.fence))

    def publish(
        self,
        heads: Heads,
        result: ObjectRef,
        pseudonym_check: str | None = None,
        currency: str | None = None,
    ) -> "TransformerState":
        """Past the point of no return: these heads are the truth, the KPIs follow.

        The first batch that names users says which keys made their pseudonyms, the first that
        names a currency says what all amounts are in.
        """
        if self.in_flight is None:
            raise PipelineError(f"epoch {self.epoch} has nothing in flight to publish")
        publishing = replace(self.in_flight, phase="PUBLISHING", result=result)
        check = self.pseudonym_check or pseudonym_check
        return replace(
            self,
            heads=dict(heads),
            in_flight=publishing,
            pseudonym_check=check,
            currency=self.currency or currency,
        )

    def rekeyed(self, heads: Heads, pseudonym_check: str) -> "TransformerState":
        """The facts at these heads hold pseudonyms that those keys made."""
        return replace(self, heads=dict(heads), pseudonym_check=pseudonym_check)

    def settle(self) -> "TransformerState":
        """Nothing is in flight any more."""
        return replace(self, in_flight=None)

    def _next(
        self, phase: Phase, batch_id: str, fence: int, attempt: int, mains: Heads
    ) -> "TransformerState":
        if self.in_flight is not None and self.in_flight.phase == "PUBLISHING":
            raise StaleWriter(
                f"epoch {self.epoch} is publishing batch {self.in_flight.batch_id}; "
                "that is to be finished first, then try again"
            )
        heads = self.standing(mains)
        return replace(
            self,
            epoch=self.epoch + 1,
            fence=max(fence, self.fence),
            heads=heads,
            in_flight=InFlight(batch_id, phase, attempt, heads_before=heads),
        )

    @staticmethod
    def from_item(item: Mapping[str, Any] | None) -> "TransformerState":
        """Read the item of TransformerState; an absent one is the state before any batch."""
        if item is None:
            return TransformerState()
        flight = item.get("in_flight")
        return TransformerState(
            epoch=item["epoch"],
            fence=item["fence"],
            abandoned_fence=item["abandoned_fence"],
            heads=_ids(item["heads"]),
            in_flight=flight
            and InFlight(
                batch_id=flight["batch_id"],
                phase=flight["phase"],
                attempt=flight["attempt"],
                heads_before=_ids(flight["heads_before"]),
                result=ObjectRef(**flight["result"]) if flight["result"] else None,
            ),
            pseudonym_check=item.get("pseudonym_check"),
            currency=item.get("currency"),
        )

    def to_item(self) -> dict[str, Any]:
        """The item as it is stored; snapshot ids are text, they outgrow a JSON number."""
        flight = self.in_flight
        return {
            "StateId": STATE_ID,
            "epoch": self.epoch,
            "fence": self.fence,
            "abandoned_fence": self.abandoned_fence,
            "heads": as_text(self.heads or {}),
            "phase": self.phase,
            "pseudonym_check": self.pseudonym_check,
            "currency": self.currency,
            "in_flight": flight
            and {
                "batch_id": flight.batch_id,
                "phase": flight.phase,
                "attempt": flight.attempt,
                "heads_before": as_text(flight.heads_before),
                "result": flight.result.model_dump() if flight.result else None,
            },
        }


@dataclass(frozen=True)
class BatchHistory:
    """What the stream transformation/<batch_id> says of a batch."""

    version: int = 0
    result: ObjectRef | None = None
    abandoned_under: int = 0
    is_begun: bool = False
    """Whether any attempt ever took an epoch for it."""

    def admit(self, batch_id: str, fence: int) -> None:
        """Raise StaleWriter for an attempt under a grant under which the batch was given up."""
        _refuse_abandoned(batch_id, fence, self.abandoned_under)

    @staticmethod
    def replay(events: Iterable[Message]) -> "BatchHistory":
        """Fold the stream."""
        history = BatchHistory()
        for event in events:
            history = replace(history, version=event.stream_version)
            match event.data:
                case TransformStarted():
                    history = replace(history, is_begun=True)
                case KpisPublished():
                    history = replace(history, result=event.data.result)
                case BatchAbandoned():
                    history = replace(history, abandoned_under=event.data.fence)
        return history


def _refuse_abandoned(batch_id: str, fence: int, abandoned: int) -> None:
    if fence <= abandoned:
        raise StaleWriter(
            f"batch {batch_id} was abandoned under lock fence {abandoned}; acquire the lock again",
            seen_fence=abandoned,
        )


def as_text(heads: Heads) -> dict[str, str]:
    """Snapshot ids as text."""
    return {table: str(snapshot_id) for table, snapshot_id in heads.items()}


def _ids(heads: Mapping[str, str]) -> Heads:
    return {table: int(snapshot_id) for table, snapshot_id in heads.items()}
