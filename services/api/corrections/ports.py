"""What corrections reach the world with."""

from typing import Protocol

from contracts.messages import ObjectRef, QuarantineCorrections, QuarantineReplay, ReplayAnswers


class Corrects(Protocol):
    """The validator, who owns quarantine, and the keys of our own forms."""

    def answer(self, replay_id: str) -> QuarantineReplay | None:
        """What the validator has said; None before it has."""

    def await_answer(self, replay_id: str) -> QuarantineReplay | None:
        """The same, for whoever waits for it: some seconds at most."""

    def was_asked(self, replay_id: str) -> bool:
        """Whether that replay was asked for within the last day."""

    def ask(
        self, replay_id: str, rows: QuarantineCorrections, *, dry_run: bool, requested_by: str
    ) -> None:
        """Hand the rows in and send the command, unless that was done a moment ago."""

    def links(self, ref: ObjectRef) -> ReplayAnswers | None:
        """Which rows a replay answers; None when that is kept no longer."""

    def form_key(self, day: str) -> bytes:
        """What forms of a day are signed with."""
