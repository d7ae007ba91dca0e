"""Corrected rows of a source's export against the quarantined rows that they answer; pure.

The export's format has no place for links, so rows are found again by what they state: the id of
their order, or of their product. Orders of order lines are stated whole (docs/design.md, Sources),
so a corrected one has to hold all rows that were quarantined together, and no other.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import RowId
from services.validator.quarantine.current_rows import Precedence
from services.validator.quarantine.replay_check import Verdict
from services.validator.quarantine.replay_plan import PlacedRow

LEFT_OUT = (
    "the source leaves this row out, so that it would state nothing: correct it, or give the "
    "quarantined row up with `ecp quarantine dismiss`"
)
NAMED_LINES = 5
TEXT = "text"


@dataclass(frozen=True)
class ReadRow:
    """A row as its source reads it: `identity` is what it states, None where nobody can tell."""

    line: int
    identity: str | None
    text: str
    product_id: str | None = None


@dataclass(frozen=True)
class HeldRow:
    """A row in quarantine, read again from its text."""

    row_id: RowId
    identity: str | None
    text: str


@dataclass(frozen=True)
class Answer:
    """A corrected row, and what is said of it; its verdict names the row that it answers."""

    row: ReadRow
    verdict: Verdict

    def refused(self, why: str) -> "Answer":
        """The same row, kept out."""
        return replace(self, verdict=self.verdict.refused(why))


@dataclass(frozen=True)
class Corrected:
    """A corrected file: its name, its source and kind, and the column that its rows are of."""

    place: str
    source: str
    kind: str
    column: str


def answers(
    file: Corrected, rows: Sequence[ReadRow], faults: Mapping[int, str], held: Sequence[HeldRow]
) -> list[Answer]:
    """The verdict on each row; `faults` by line, `held` with the newest input last.

    Of several inputs that had an order quarantined, the newest is the one that is corrected.
    """
    newest: dict[str, list[HeldRow]] = {}
    for each in held:
        if each.identity is None:
            continue
        of_one = newest.setdefault(each.identity, [])
        if of_one and of_one[0].row_id[:3] != each.row_id[:3]:
            of_one.clear()
        of_one.append(each)
    stated: dict[str, list[ReadRow]] = {}
    for row in rows:
        if row.identity is not None:
            stated.setdefault(row.identity, []).append(row)
    return [_answer(file, row, faults.get(row.line), stated, newest) for row in rows]


def kept_whole(found: Sequence[Answer], refusals: Mapping[str, str]) -> list[Answer]:
    """The answers, those of each identity that is refused for its reason."""
    kept = []
    for each in found:
        why = refusals.get(each.row.identity or "")
        kept.append(each.refused(why) if why and each.verdict.state == "fixed" else each)
    return kept


def _answer(
    file: Corrected,
    row: ReadRow,
    fault: str | None,
    stated: Mapping[str, Sequence[ReadRow]],
    newest: Mapping[str, Sequence[HeldRow]],
) -> Answer:
    nowhere = RowId("", file.place, "", row.line)
    if row.identity is None:
        said = Verdict(_correction(file, row, nowhere), "wrong" if fault else "refused")
        return Answer(row, replace(said, message=fault or LEFT_OUT))
    there, together = stated[row.identity], newest.get(row.identity, ())
    if len(there) != len(together):
        why = _of_other_rows(file, row.identity, len(there), together)
        return Answer(row, Verdict(_correction(file, row, nowhere), "refused", why))
    behind = together[bisect_left(there, row.line, key=attrgetter("line"))]
    changed = () if behind.text == row.text else (TEXT,)
    correction = _correction(file, row, behind.row_id)
    if fault is None:
        return Answer(row, Verdict(correction, "fixed", None, changed))
    return Answer(row, Verdict(correction, "wrong" if changed else "unchanged", fault, changed))


def _correction(file: Corrected, row: ReadRow, row_id: RowId) -> Correction:
    return Correction(file.kind, row_id, (), f"{file.place} line {row.line}")


def _of_other_rows(file: Corrected, identity: str, here: int, together: Sequence[HeldRow]) -> str:
    named = f"{file.column} {identity}"
    if not together:
        return (
            f"no row of {named} that {file.source} can replay is in quarantine; a row whose id "
            f"was what is wrong goes in with `ecp submit --source {file.source.split()[0]}`, and "
            "the quarantined one is given up with `ecp quarantine dismiss`"
        )
    batch_id, key = together[0].row_id[:2]
    lines = [str(each.row_id.line) for each in together]
    more = ", ..." if len(lines) > NAMED_LINES else ""
    where = f"{key} line {', '.join(lines[:NAMED_LINES])}{more} of batch {batch_id}"
    if here < len(together):
        return (
            f"{named} has {here} of the {len(together)} rows that were quarantined together "
            f"({where}), and what is replayed replaces it whole: put the others back, as "
            "`ecp quarantine export` writes them"
        )
    return (
        f"{named} has {here} rows here, and {len(together)} were quarantined together ({where}): "
        "keep those alone; other rows are a new statement, for "
        f"`ecp submit --source {file.source.split()[0]}`"
    )


@dataclass(frozen=True)
class Product:
    """A product that stands, and its category, name and price: there, and in a corrected file."""

    row: PlacedRow
    stands: tuple[Any, ...]
    corrected: tuple[Any, ...]


def restated(
    file: Corrected,
    found: Sequence[Answer],
    places: Mapping[RowId, Precedence],
    standing: Mapping[str, Sequence[PlacedRow]],
) -> dict[str, str]:
    """By identity, why a fixed one stays out that was stated again after its quarantined rows.

    An order of order lines stands as a whole, so that a later line of its own file is no later
    statement.
    """
    whole = file.kind == "order_items"
    refusals: dict[str, str] = {}
    for each in found:
        identity, row = each.row.identity, each.verdict.correction.row_id
        if each.verdict.state != "fixed" or identity is None or not standing.get(identity):
            continue
        newest = max(standing[identity], key=lambda stands: stands.precedence)
        there, here = newest.precedence, places[row]
        if there.stated > here.stated if whole else there > here:
            refusals[identity] = (
                f"{file.column} {identity} was stated again by batch {newest.row.batch_id} "
                f"({newest.row.source_key} line {newest.row.source_line}), after this row: that "
                "statement stands; to change it, submit a new one"
            )
    return refusals


def undone(
    found: Sequence[Answer],
    places: Mapping[RowId, Precedence],
    products: Mapping[str, Product],
) -> dict[str, str]:
    """By order, why it stays out: its rows would take back what was said of a product since."""
    refusals: dict[str, str] = {}
    for each in found:
        product = products.get(each.row.product_id or "")
        if each.verdict.state != "fixed" or each.row.identity is None or product is None:
            continue
        is_later = product.row.precedence.stated > places[each.verdict.correction.row_id].stated
        if is_later and product.stands != product.corrected:
            stated = product.row.row
            refusals[each.row.identity] = (
                f"order_id {each.row.identity}: its rows say of product_id {each.row.product_id} "
                f"{_shown(product.corrected)}, and batch {stated.batch_id} ({stated.source_key} "
                f"line {stated.source_line}) has said {_shown(product.stands)} after them, which "
                "a replay would take back: say the same here"
            )
    return refusals


def _shown(values: Sequence[Any]) -> str:
    category, name, cents = values
    return f"category {category!r}, name {name!r}, price {cents / 100:.2f}"
