"""Of rows that a check handed on as accepted, those that stand in the end."""

from collections.abc import Sequence
from typing import Any

from services.validator.reading.verdict import FileCheck


def that_stand(check: FileCheck, rows: Sequence[Any]) -> list[Any]:
    """The rows without those that others of the file repeat or contradict."""
    if not check.removed:
        return list(rows)
    stand = check.removed.stand(0, len(rows)).tolist()
    return [row for row, stands in zip(rows, stand, strict=True) if stands]
