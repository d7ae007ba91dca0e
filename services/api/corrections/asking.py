"""A replay that is asked for: looked for first, so that the same question has one effect."""

from contracts.messages import CorrectedRow, QuarantineCorrections, QuarantineReplay
from services.api.corrections.domain import replay_id_of
from services.api.corrections.ports import Corrects

WAITS = "waits"


def replay(
    corrects: Corrects,
    rows: list[CorrectedRow],
    request: str | None,
    *,
    dry_run: bool,
    requested_by: str,
) -> tuple[str, QuarantineReplay | None]:
    """Its id, and what the validator has said; None before it has.

    One that waited for a batch is asked for again.
    """
    asked = QuarantineCorrections(rows=rows)
    replay_id = replay_id_of(asked, request, dry_run=dry_run)
    found = corrects.answer(replay_id)
    if found is None or found.outcome == WAITS:
        corrects.ask(replay_id, asked, dry_run=dry_run, requested_by=requested_by)
    return replay_id, found
