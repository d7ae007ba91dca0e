"""What local files say that the pipeline will not refuse, read once more for the sender's sake."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.clock import system_clock
from contracts.file_contracts import file_contract
from infra.ecp.submissions import hints
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.file_headers import read_file_header
from services.runtime.csv_files.bad_file import BadFile

MAX_STATUSES = 1000
"""Different statuses that are counted; a column with more of them is none of statuses."""
MAX_LOOKED_AT_BYTES = 512 * 1024 * 1024
"""Larger orders files are sent without a look at their statuses: it would take longer than help."""


@dataclass
class Statuses:
    """The statuses of accepted orders, and how often each was seen."""

    seen: Counter[str] = field(default_factory=Counter)

    def take(self, accepted: Any) -> None:
        """Count those of a pyarrow table of accepted orders."""
        if len(self.seen) < MAX_STATUSES:
            for each in accepted["status"].value_counts().to_pylist():
                self.seen[str(each["values"])] += each["counts"]


def about_columns_of(file: InputFile) -> list[str]:
    """The columns of a file that nobody reads; nothing of a header that cannot be read either.

    Nor of a file of a source: an export has many that the source has no use for.
    """
    if file.source is not None:
        return []
    try:
        header = read_file_header(file.path, file.kind)
    except BadFile:
        return []
    return hints.about_columns(file.key, file.kind, header.unknown_columns)


def about_statuses_of(files: Sequence[InputFile]) -> list[str]:
    """That no order of these files counts as returned, where some look so; else nothing."""
    statuses = Statuses()
    orders = [file for file in files if file.kind == "orders"]
    if sum(file.path.stat().st_size for file in orders) > MAX_LOOKED_AT_BYTES:
        return []
    for file in orders:
        _check(file, statuses.take)
    return hints.about_returns(statuses.seen)


def _check(file: InputFile, on_accepted: Callable[[Any], None]) -> None:
    from services.validator.reading.file_check import check_file

    check_file(
        lambda: file.path.open("rb", buffering=0),
        file_contract(file.kind),
        name=file.key,
        today=system_clock().date(),
        max_rejected_fraction=1.0,
        on_accepted=on_accepted,
        on_quarantined=lambda _: None,
    )
