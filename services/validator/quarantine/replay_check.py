"""Corrected rows against quarantine and contract: fixed, still wrong, unchanged or refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from contracts.file_contracts import file_contract
from services.runtime.csv_files.texts import BLANKS
from services.runtime.quarantine.corrections import Correction, fields_of
from services.runtime.quarantine.replays import RowId
from services.validator.quarantine.rows import Row

HeaderOf = Callable[[str, str, str], Sequence[str] | None]
"""The header of an input by batch, key and version; None when its original is gone."""

State = Literal["fixed", "wrong", "unchanged", "refused"]
NOT_THERE = (
    "no such row is in quarantine: leave the columns that begin with _ as they were exported, or "
    "it has expired"
)

NOT_SPLIT = "the record could not be split into fields, so none is there: fill them in from _raw"
CUT_AT_COMMAS = (
    "the record was broken and only cut at its commas: nobody has said yet what it means; correct "
    "at least one field"
)
"""Quoted anew, even a stray quote would be accepted as part of a value."""


@dataclass(frozen=True)
class Verdict:
    """What is said of one corrected row; `changed` names the columns that differ from its text."""

    correction: Correction
    state: State
    message: str | None = None
    changed: tuple[str, ...] = ()

    def refused(self, why: str) -> "Verdict":
        """The same row, kept out for another reason than the contract."""
        return replace(self, state="refused", message=why)


def judge(
    corrections: Sequence[Correction],
    faults: Mapping[RowId, str],
    quarantined: Mapping[RowId, Row],
    header_of: HeaderOf,
) -> list[Verdict]:
    """The verdict on each row; `faults` is what the checks find wrong with it now."""
    return [_verdict(each, faults.get(each.row_id), quarantined, header_of) for each in corrections]


def _verdict(
    correction: Correction,
    fault: str | None,
    quarantined: Mapping[RowId, Row],
    header_of: HeaderOf,
) -> Verdict:
    row = quarantined.get(correction.row_id)
    if row is None or row["kind"] != correction.kind:
        return Verdict(correction, "refused", NOT_THERE)
    before = fields_of(row, header_of(*correction.row_id[:3]))
    changed = tuple(
        column
        for column, old, new in zip(
            file_contract(correction.kind).columns, before, correction.fields, strict=True
        )
        if old != new.strip(BLANKS)
    )
    if not changed and not any(before):
        return Verdict(correction, "unchanged", NOT_SPLIT)
    if fault is None and not changed and str(row["rule"]).startswith("record."):
        return Verdict(correction, "unchanged", CUT_AT_COMMAS)
    if fault is None:
        return Verdict(correction, "fixed", None, changed)
    return Verdict(correction, "wrong" if changed else "unchanged", fault, changed)
