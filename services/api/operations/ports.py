"""What the pages of operations reach the world with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.clock import Clock
from services.api.operations.letters import Depth, Letter
from services.api.views.reading import ViewsRead


class Queues(Protocol):
    """The pipeline's queues."""

    def depths(self) -> Sequence[Depth]:
        """Each with how many of its messages wait and are in work."""

    def letters(self, queue: str) -> list[Letter] | None:
        """All of a dead-letter queue, oldest first; None where there is no such queue."""

    def is_there(self, queue: str) -> bool:
        """Whether it is a dead-letter queue of the pipeline."""

    def can_send_back(self, queue: str) -> bool:
        """Whether a dead-letter queue's letters came from a queue."""

    def send_back(self, queue: str, message_id: str | None) -> tuple[list[Letter], list[Letter]]:
        """One letter, or all, to where it came from: those sent, those that SQS does not take.

        None of either where they came from no queue.
        """

    def drop(self, queue: str, message_id: str, who: str, why: str) -> str | None:
        """Remove a letter and keep a record, whose key is returned; None where it is gone."""


@dataclass(frozen=True)
class OperationsPorts:
    """What the pages are made of."""

    views: ViewsRead
    queues: Queues
    clock: Clock
