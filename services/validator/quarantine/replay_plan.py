"""Which corrected rows a replay brings in, and what has to go with them; pure (decision 0010).

A corrected row counts as if it had stood in its place from the beginning: it neither undoes what
was stated after it, nor drops the other lines of its pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from contracts.file_contracts import file_contract
from services.runtime.csv_files.texts import BLANKS
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import COMPLETED, Replays
from services.validator.quarantine.current_rows import (
    IDENTITY_COLUMNS,
    CurrentRow,
    Identity,
    Origin,
    Precedence,
)

LINE_ID = "line_id"


@dataclass(frozen=True)
class FixedRow:
    """A corrected row that the contract accepts, and where its quarantined row counts."""

    correction: Correction
    precedence: Precedence

    @property
    def identity(self) -> Identity:
        """What it states: an order, a product, or the pair of an order line."""
        return identity_of(self.correction)


@dataclass(frozen=True)
class PlacedRow:
    """A row of the facts, the row of an input behind it, and where that one counts."""

    row: CurrentRow
    origin: Origin
    precedence: Precedence


@dataclass(frozen=True)
class PlannedRow:
    """One row to upload: a corrected one, or a standing order line that is stated again."""

    fields: tuple[str, ...]
    stands_for: FixedRow | PlacedRow


@dataclass(frozen=True)
class CurrentRows:
    """What an identity has in the facts."""

    rows: Sequence[PlacedRow]

    @property
    def newest(self) -> Precedence | None:
        """When it was stated last."""
        return max((row.precedence for row in self.rows), default=None)


@dataclass(frozen=True)
class Refusal:
    """A fixed row that stays out, and why."""

    row: FixedRow
    reason: str


@dataclass(frozen=True)
class Plan:
    """The rows of one kind to upload, in order of statement, and those that stay out."""

    kind: str
    rows: tuple[PlannedRow, ...]
    refused: tuple[Refusal, ...]


def identity_of(correction: Correction) -> Identity:
    """The ids of a row, trimmed as the pipeline does."""
    columns = file_contract(correction.kind).columns
    return tuple(
        correction.fields[columns.index(name)].strip(BLANKS)
        for name in IDENTITY_COLUMNS[correction.kind]
    )


def plan(
    kind: str,
    fixed: Sequence[FixedRow],
    standing: Mapping[Identity, CurrentRows],
    replays: Replays,
) -> Plan:
    """Decide on every fixed row of one kind."""
    kept: list[FixedRow] = []
    refused: list[Refusal] = []
    for row in fixed:
        moved = _moved(row, replays)
        if moved:
            refused.append(Refusal(row, moved))
        else:
            kept.append(row)
    planned: list[PlannedRow] = []
    by_identity: Callable[[FixedRow], Identity] = lambda row: row.identity  # noqa: E731
    for identity, group in groupby(sorted(kept, key=by_identity), by_identity):
        rows = sorted(group, key=lambda row: row.precedence)
        stands = standing.get(identity, CurrentRows(()))
        decide = _lines_of_pair if kind == "order_items" else _statements
        accepted, late = decide(rows, stands)
        planned += accepted
        refused += late
    return Plan(kind, tuple(planned), tuple(refused))


def _statements(
    rows: Sequence[FixedRow], stands: CurrentRows
) -> tuple[list[PlannedRow], list[Refusal]]:
    """Orders and products: the last statement wins, so one that is later must not be undone."""
    late = [row for row in rows if stands.newest is not None and stands.newest > row.precedence]
    planned = [PlannedRow(row.correction.fields, row) for row in rows if row not in late]
    return planned, [Refusal(row, _restated(row, stands)) for row in late]


def _lines_of_pair(
    rows: Sequence[FixedRow], stands: CurrentRows
) -> tuple[list[PlannedRow], list[Refusal]]:
    """Order lines: those without line_id replace all earlier lines of their pair as a whole.

    So the lines that stand from the same statement go along, but not an earlier correction of a
    row that is corrected again. A line with a line_id replaces that line, and earlier ones of the
    pair that have none.
    """
    numbered = [row for row in rows if _line_id(row)]
    unnumbered = [row for row in rows if not _line_id(row)]
    kept: list[FixedRow] = []
    refused: list[Refusal] = []
    for row in numbered:
        later = [
            line
            for line in stands.rows
            if line.row.line_id in (None, _line_id(row))
            and line.precedence.stated > row.precedence.stated
        ]
        if later:
            refused.append(Refusal(row, _restated(row, CurrentRows(later))))
        else:
            kept.append(row)
    if unnumbered:
        newest = max(row.precedence.stated for row in unnumbered)
        if stands.newest is not None and stands.newest.stated > newest:
            refused += [Refusal(row, _restated(row, stands)) for row in unnumbered]
        else:
            current = [row for row in unnumbered if row.precedence.stated == newest]
            earlier = [row for row in unnumbered if row.precedence.stated < newest]
            refused += [Refusal(row, _outdone(row, current[0])) for row in earlier]
            kept += current
    kept.sort(key=lambda row: row.precedence)
    return [
        *_going_along(kept, stands),
        *(PlannedRow(k.correction.fields, k) for k in kept),
    ], refused


def _going_along(kept: Sequence[FixedRow], stands: CurrentRows) -> list[PlannedRow]:
    """The standing lines that an upload of the kept rows would replace, and must not."""
    answered = {row.precedence for row in kept}
    without_id = {row.precedence.stated for row in kept if not _line_id(row)}
    with_id = {row.precedence.stated for row in kept if _line_id(row)}
    return [
        PlannedRow(_as_fields(line.row), line)
        for line in stands.rows
        if line.precedence not in answered
        and (
            line.precedence.stated in without_id
            or (line.row.line_id is None and line.precedence.stated in with_id)
        )
    ]


def _line_id(row: FixedRow) -> str:
    """The line_id of a corrected order line; empty for none."""
    contract = file_contract(row.correction.kind)
    field = next((each for each in contract.fields if each.name == LINE_ID), None)
    position = contract.columns.index(LINE_ID) if field else len(row.correction.fields)
    if field is None or position >= len(row.correction.fields):
        return ""
    text = row.correction.fields[position].strip(BLANKS)
    return "" if text in field.missing_values else text


def _as_fields(line: CurrentRow) -> tuple[str, ...]:
    """In the order of the contract's columns; what the facts do not have is left empty."""
    said = {
        "quantity": str(line.quantity),
        "unit_price": _money(line.unit_price_cents or 0),
        LINE_ID: line.line_id or "",
        "line_amount": "" if line.line_amount_cents is None else _money(line.line_amount_cents),
    }
    rest = file_contract("order_items").columns[len(line.identity) :]
    return (*line.identity, *(said.get(name, "") for name in rest))


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _moved(row: FixedRow, replays: Replays) -> str | None:
    """Facts are never deleted, so a row that counts under one identity cannot move to another."""
    before = replays.get(row.correction.row_id)
    if before is None or before.status != COMPLETED or before.identity == row.identity:
        return None
    return (
        f"batch {before.batch_id} has replayed this row as {_named(row, before.identity)}, and "
        "that counts; a replay cannot turn it into another one"
    )


def _restated(row: FixedRow, stands: CurrentRows) -> str:
    newest = max(stands.rows, key=lambda each: each.precedence).row
    return (
        f"{_named(row, row.identity)} was stated again by batch {newest.batch_id} "
        f"({newest.source_key} line {newest.source_line}), after this row: that statement stands; "
        "to change it, submit a new one"
    )


def _outdone(row: FixedRow, by: FixedRow) -> str:
    return (
        f"{_named(row, row.identity)} is stated by {by.correction.row_id.key} line "
        f"{by.correction.row_id.line} of a later batch, which is in this replay and stands"
    )


def _named(row: FixedRow, identity: Identity) -> str:
    columns = IDENTITY_COLUMNS[row.correction.kind]
    return " ".join(f"{name} {value}" for name, value in zip(columns, identity, strict=True))
