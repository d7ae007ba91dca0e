"""Which corrected rows a replay brings in, and what has to go with them; pure (decision 0010).

A corrected row counts as if it had stood in its place from the beginning: it neither undoes what
was stated after it, nor drops the other lines of its pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from contracts.file_contracts import file_contract
from infra.cli.corrections import BLANKS, Correction
from infra.queries.answers import COMPLETED, Answers
from infra.queries.standing import IDENTITY_COLUMNS, Identity, Origin, Place, StandingRow


@dataclass(frozen=True)
class FixedRow:
    """A corrected row that the contract accepts, and where its quarantined row counts."""

    correction: Correction
    place: Place

    @property
    def identity(self) -> Identity:
        """What it states: an order, a product, or the pair of an order line."""
        return identity_of(self.correction)


@dataclass(frozen=True)
class PlacedRow:
    """A row of the facts, the row of an input behind it, and where that one counts."""

    row: StandingRow
    origin: Origin
    place: Place


@dataclass(frozen=True)
class PlannedRow:
    """One row to upload: a corrected one, or a standing order line that is stated again."""

    fields: tuple[str, ...]
    stands_for: FixedRow | PlacedRow


@dataclass(frozen=True)
class Standing:
    """What an identity has in the facts."""

    rows: Sequence[PlacedRow]

    @property
    def newest(self) -> Place | None:
        """When it was stated last."""
        return max((row.place for row in self.rows), default=None)


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
    standing: Mapping[Identity, Standing],
    answers: Answers,
) -> Plan:
    """Decide on every fixed row of one kind."""
    kept: list[FixedRow] = []
    refused: list[Refusal] = []
    for row in fixed:
        moved = _moved(row, answers)
        if moved:
            refused.append(Refusal(row, moved))
        else:
            kept.append(row)
    planned: list[PlannedRow] = []
    by_identity: Callable[[FixedRow], Identity] = lambda row: row.identity  # noqa: E731
    for identity, group in groupby(sorted(kept, key=by_identity), by_identity):
        rows = sorted(group, key=lambda row: row.place)
        stands = standing.get(identity, Standing(()))
        decide = _lines_of_pair if kind == "order_items" else _statements
        accepted, late = decide(rows, stands)
        planned += accepted
        refused += late
    return Plan(kind, tuple(planned), tuple(refused))


def _statements(
    rows: Sequence[FixedRow], stands: Standing
) -> tuple[list[PlannedRow], list[Refusal]]:
    """Orders and products: the last statement wins, so one that is later must not be undone."""
    late = [row for row in rows if stands.newest is not None and stands.newest > row.place]
    planned = [PlannedRow(row.correction.fields, row) for row in rows if row not in late]
    return planned, [Refusal(row, _restated(row, stands)) for row in late]


def _lines_of_pair(
    rows: Sequence[FixedRow], stands: Standing
) -> tuple[list[PlannedRow], list[Refusal]]:
    """Order lines: a batch's lines of a pair replace the earlier ones as a whole.

    So the lines that stand from the same batch go along, but not an earlier correction of a row
    that is corrected again.
    """
    newest = max(row.place.epoch for row in rows)
    stated = stands.newest.epoch if stands.newest else 0
    if stated > newest:
        return [], [Refusal(row, _restated(row, stands)) for row in rows]
    current = [row for row in rows if row.place.epoch == newest]
    answered = {row.place for row in current}
    carried = [
        PlannedRow(_as_fields(line.row), line)
        for line in stands.rows
        if stated == newest and line.place not in answered
    ]
    planned = carried + [PlannedRow(row.correction.fields, row) for row in current]
    earlier = [row for row in rows if row.place.epoch < newest]
    return planned, [Refusal(row, _outdone(row, current[0])) for row in earlier]


def _as_fields(line: StandingRow) -> tuple[str, ...]:
    cents = line.unit_price_cents or 0
    return (*line.identity, str(line.quantity), f"{cents // 100}.{cents % 100:02d}")


def _moved(row: FixedRow, answers: Answers) -> str | None:
    """Facts are never deleted, so a row that counts under one identity cannot move to another."""
    before = answers.get(row.correction.row_id)
    if before is None or before.status != COMPLETED or before.identity == row.identity:
        return None
    return (
        f"batch {before.batch_id} has replayed this row as {_named(row, before.identity)}, and "
        "that counts; a replay cannot turn it into another one"
    )


def _restated(row: FixedRow, stands: Standing) -> str:
    newest = max(stands.rows, key=lambda each: each.place).row
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
