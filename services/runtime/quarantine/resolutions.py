"""What became of what lies in quarantine: still open, answered by a replay, or dismissed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from services.runtime.quarantine.copies import Copies, Input
from services.runtime.quarantine.replays import COMPLETED, Replay, Replays, RowId

Resolution = Literal["open", "answered", "dismissed"]


class Dismissal(NamedTuple):
    """Somebody's word that rows will never be corrected; `lines` None: all, and the file itself."""

    batch_id: str
    key: str
    lines: frozenset[int] | None
    requested_by: str
    reason: str
    dismissed_at: str


@dataclass(frozen=True)
class Resolutions:
    """The replays and dismissals so far, the oldest dismissal first."""

    replays: Replays
    dismissals: Sequence[Dismissal] = ()
    published: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Inputs of rejected batches, by batch and key, of which a later batch has published a newer
    version, or the same one: all that was refused of them is answered by that batch."""
    completed: frozenset[str] = frozenset()
    """Batches that are published, also those of which a redrive has refused a file afterwards."""
    copies: Copies = field(default_factory=Copies)
    """Inputs that were sent again unchanged: their rows are the same rows."""

    def of(self, row: RowId) -> Resolution:
        """A completed replay has answered a row for good; else the newest word counts.

        So a replay reopens what was dismissed before it, whatever became of that replay. A row of
        a file that was sent again is answered by its newest copy; that one a replay of an older
        copy does not answer, for the file has stated it anew after it.
        """
        if (row.batch_id, row.key) in self.published or self.repeated_in(row.batch_id, row.key):
            return "answered"
        answer, dismissal = self.replays.get(row), self.dismissal_of(row)
        if answer and answer.status == COMPLETED:
            return "answered"
        if dismissal and (answer is None or answer.sealed_at < dismissal.dismissed_at):
            return "dismissed"
        return "open"

    def of_file(self, batch_id: str, key: str) -> Resolution:
        """Answered once a corrected version of its key is published, or it was refused again.

        So is one that was published before a redrive of its batch refused it: nothing waits for it.
        """
        if batch_id in self.completed or (batch_id, key) in self.published:
            return "answered"
        if self.repeated_in(batch_id, key):
            return "answered"
        return "dismissed" if self.dismissal_of_file(batch_id, key) else "open"

    def repeated_in(self, batch_id: str, key: str) -> str | None:
        """The batch that has the newest copy of this input; None when this is it."""
        newer = self.copies.newer(Input(batch_id, key))
        return newer.batch_id if newer else None

    def replay_of(self, row: RowId) -> Replay | None:
        """The replay that answers a row, as far as it got."""
        return self.replays.get(row)

    def dismissal_of(self, row: RowId) -> Dismissal | None:
        """The newest dismissal of a row or of a copy of it, even if a replay has reopened it."""
        return self._newest(
            each
            for each in self._of_input(row.batch_id, row.key)
            if each.lines is None or row.line in each.lines
        )

    def dismissal_of_file(self, batch_id: str, key: str) -> Dismissal | None:
        """The newest dismissal of a file that was refused whole."""
        return self._newest(each for each in self._of_input(batch_id, key) if each.lines is None)

    @cached_property
    def _by_input(self) -> Mapping[tuple[str, str], Sequence[Dismissal]]:
        found: dict[tuple[str, str], list[Dismissal]] = {}
        for each in self.dismissals:
            found.setdefault((each.batch_id, each.key), []).append(each)
        return found

    def _of_input(self, batch_id: str, key: str) -> Iterator[Dismissal]:
        """What was dismissed of an input and of its copies, which are no better."""
        for copy in self.copies.of(Input(batch_id, key)):
            yield from self._by_input.get(copy, ())

    @staticmethod
    def _newest(found: Iterable[Dismissal]) -> Dismissal | None:
        return max(found, key=lambda each: each.dismissed_at, default=None)


def published_since(refused: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Which batch has published an input of a rejected one; from the aggregator's rows."""
    return {
        (row["batch_id"], key): batch_id
        for row in refused
        for key, batch_id in row["answered"].items()
    }


def dismissal_of(row: dict[str, Any]) -> Dismissal:
    """A row of the aggregator's read model."""
    lines = row["lines"]
    named = {name: row[name] for name in Dismissal._fields if name != "lines"}
    return Dismissal(lines=None if lines is None else frozenset(lines), **named)
