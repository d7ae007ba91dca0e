"""Any replays in any order give what the rows would have given, right from the beginning.

The model knows batches and corrected rows; the facts here are a dictionary that plans change.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from infra.cli.corrections import Correction
from infra.cli.replay_plan import FixedRow, Standing, plan
from infra.queries.answers import Answer, RowId
from infra.queries.standing import Identity, Place, StandingRow
from tests.contract.builders import BATCH

PAIRS = (("1", "p1"), ("1", "p2"), ("2", "p1"))


class Stated(NamedTuple):
    """A row of a batch; `quantity` tells rows apart and is what a correction changes."""

    place: Place
    identity: Identity
    quantity: int
    is_bad: bool


@st.composite
def histories(draw: st.DrawFn, identities: Sequence[Identity]) -> list[Stated]:
    """Up to four batches of up to five rows."""
    rows = []
    for epoch in range(1, draw(st.integers(1, 4)) + 1):
        for line in range(2, draw(st.integers(2, 7))):
            identity = draw(st.sampled_from(identities))
            rows.append(Stated(Place(epoch, 0, line), identity, len(rows) + 1, draw(st.booleans())))
    return rows


def fixed(kind: str, row: Stated, quantity: int) -> FixedRow:
    tail = (str(quantity), "1.00") if kind == "order_items" else (str(quantity), "d", "1", "s")
    row_id = RowId(BATCH, f"{row.place.epoch}.csv", "v1", row.place.line)
    return FixedRow(Correction(kind, row_id, (*row.identity, *tail), "f"), row.place)


Placed = tuple[int, Place | None]
Facts = dict[Identity, list[Placed]]


def model(kind: str, rows: Sequence[Stated], corrected: Mapping[Place, int]) -> Facts:
    """Lines of the newest batch of each pair; the last statement of each order."""
    stands: dict[Identity, list[tuple[Place, int]]] = defaultdict(list)
    for row in rows:
        if row.is_bad and row.place not in corrected:
            continue
        before = stands[row.identity]
        if before and (kind == "orders" or before[0][0].epoch < row.place.epoch):
            before.clear()
        before.append((row.place, corrected.get(row.place, row.quantity)))
    return {
        identity: [(quantity, place) for place, quantity in each]
        for identity, each in stands.items()
        if each
    }


def standing_of(
    kind: str, facts: Facts, epochs: Mapping[Identity, int]
) -> dict[Identity, Standing]:
    found = {}
    for identity, rows in facts.items():
        lines = [(StandingRow(identity, BATCH, "k", 2, n, 100), place) for n, place in rows]
        newest = max((place for _, place in rows if place), default=None)
        if kind == "order_items":
            newest = Place(epochs[identity], 0, 0)
        found[identity] = Standing(lines, newest)
    return found


def run(kind: str, rows: Sequence[Stated], replays: Sequence[Sequence[int]]) -> None:
    bad = [row for row in rows if row.is_bad]
    facts = model(kind, rows, {})
    epochs = {identity: each[0][1].epoch for identity, each in facts.items() if each[0][1]}
    corrected: dict[Place, int] = {}
    answers: dict[RowId, Answer] = {}
    for number, chosen in enumerate(replays, start=1):
        together = {n % len(bad): bad[n % len(bad)] for n in chosen} if bad else {}
        going = [fixed(kind, row, 100 * number + n) for n, row in together.items()]
        found = plan(kind, going, standing_of(kind, facts, epochs), answers)
        carried = {each.row.place for each in found.refused if "took it along" in each.reason}
        corrected |= {
            row.place: int(row.correction.fields[-2 if kind == "order_items" else 1])
            for row in going
            if row.place not in carried
        }
        restated: Facts = defaultdict(list)
        for row in found.rows:
            width = len(PAIRS[0]) if kind == "order_items" else 1
            place = row.answers.place if row.answers else None
            restated[row.fields[:width]].append((int(row.fields[width]), place))
            if row.answers:
                epochs[row.answers.identity] = row.answers.place.epoch
                answers[row.answers.correction.row_id] = Answer(
                    "r", "COMPLETED", row.fields[:width]
                )
        for identity, each in restated.items():
            facts[identity] = each if kind == "order_items" else each[-1:]
    expected = model(kind, rows, corrected)
    assert quantities(facts) == quantities(expected)


def quantities(facts: Facts) -> dict[Identity, list[int]]:
    return {identity: sorted(n for n, _ in each) for identity, each in facts.items()}


REPLAYS = st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=3), max_size=5)


@given(histories(PAIRS), REPLAYS)
def test_order_lines(rows: list[Stated], replays: list[list[int]]) -> None:
    run("order_items", rows, replays)


def test_a_correction_that_a_replay_took_along_is_not_counted_twice() -> None:
    first, second = (Stated(Place(1, 0, 2 + n), PAIRS[0], 1 + n, True) for n in (0, 1))
    run("order_items", [first, second], [[1], [0], [1]])


@given(histories((("1",), ("2",))), REPLAYS)
def test_orders(rows: list[Stated], replays: list[list[int]]) -> None:
    run("orders", rows, replays)
