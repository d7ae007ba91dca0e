"""What each row of a replay stands for, as the document that goes with its batch says it."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import AnsweredRow, ReplayAnswers, RestatedRow
from services.validator.quarantine.replay_plan import FixedRow, PlacedRow, PlannedRow


@dataclass(frozen=True)
class UploadedRow:
    """A planned row, and where it stands in the upload: the input's key and the physical line."""

    row: PlannedRow
    key: str
    line: int


def links(uploaded: Sequence[UploadedRow]) -> ReplayAnswers:
    """One link per row.

    Without its own a standing line that is stated again would lose the quarantined row that it
    answers, and the next correction of that one would count beside it.
    """
    return ReplayAnswers(
        rows=[
            AnsweredRow(
                **behind.correction.row_id._asdict(),
                replay_key=each.key,
                replay_line=each.line,
                identity=list(behind.identity),
            )
            for each in uploaded
            if isinstance(behind := each.row.stands_for, FixedRow)
        ],
        restated=[
            RestatedRow(**behind.origin._asdict(), replay_key=each.key, replay_line=each.line)
            for each in uploaded
            if isinstance(behind := each.row.stands_for, PlacedRow)
        ],
    )
