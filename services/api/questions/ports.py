"""What the routes ask others with."""

from typing import Any, Protocol

from services.api.questions.domain import Command


class TooLarge(Exception):
    """What is asked for is more than this function can read; the text says how much."""


class AsksOthers(Protocol):
    """Questions to the owners of facts and of quarantine."""

    def answer(self, question_id: str) -> dict[str, Any] | None:
        """The document that answers it; None before it is there."""

    def ask(self, command: Command) -> None:
        """Send the command, unless it was sent a moment ago."""

    def rows(
        self, batch_id: str, file_index: int, first: int, limit: int
    ) -> list[dict[str, Any]] | None:
        """Quarantined rows of a file by line, from the `first` (0) on; None when they are gone.

        Raises TooLarge.
        """
