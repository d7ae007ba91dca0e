"""What is done with events: kept, and the views that they touch folded anew."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from contracts.envelope import Message
from services.api.views.domain import (
    ViewItem,
    batch_id_of,
    batch_items,
    event_item,
    newest_event,
    registers,
    signs_of_life,
)


class Views(Protocol):
    """The table PipelineViews, as it is written."""

    def put(self, items: Iterable[ViewItem]) -> None:
        """Put each unless one of the same or a higher rank is there."""

    def events_of(self, batch_id: str) -> list[Message]:
        """Every event of a batch that was put before this was asked."""


@dataclass
class Intake:
    """Takes some events and then shows them: one look at a batch for all its events that came."""

    views: Views
    _taken: list[Message] = field(default_factory=list)

    def take(self, message: Message) -> None:
        """Remember an event until `show`."""
        self._taken.append(message)

    def forget(self) -> None:
        """What was taken and could not be shown comes again by itself."""
        self._taken.clear()

    def show(self) -> None:
        """Keep the events, then fold anew what they touch: who reads last reads them all.

        What is raised here makes all of them come again, and taking them twice changes nothing.
        """
        by_batch: dict[str, list[Message]] = defaultdict(list)
        kept: list[ViewItem] = []
        for message in self._taken:
            kept += registers(message)
            if (batch_id := batch_id_of(message)) is not None:
                kept.append(event_item(batch_id, message))
                by_batch[batch_id].append(message)
        self.views.put(kept)
        for batch_id, touched in by_batch.items():
            known = self.views.events_of(batch_id)
            self.views.put(batch_items(batch_id, known, touched))
        if self._taken:
            self.views.put([newest_event(self._taken), *signs_of_life(self._taken)])
