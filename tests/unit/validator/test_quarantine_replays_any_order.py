"""Batches and replays in any order give what the rows would have given, right from the beginning.

The model knows batches and what each row states by now. The facts here are a dictionary that takes
an upload as the transformer does; a replay goes by what the earlier ones left behind: their events,
their documents, and the rows that stand.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import AnsweredRow, ReplayAnswers
from services.runtime.quarantine.corrections import Correction
from services.runtime.quarantine.replays import RowId, arrange
from services.runtime.storage.documents import InMemoryObjectStore
from services.validator.quarantine.current_rows import CurrentRow, Identity, Origin, Precedences
from services.validator.quarantine.replay_decision import placed
from services.validator.quarantine.replay_links import UploadedRow, links
from services.validator.quarantine.replay_plan import FixedRow, plan
from tests.unit.infra.batch_events import an_event

IDENTITIES: Mapping[str, Sequence[Identity]] = {
    "order_items": (("1", "p1"), ("1", "p2"), ("2", "p1")),
    "orders": (("1",), ("2",)),
}


class Batch(NamedTuple):
    """What each row states, and whether it is bad at first."""

    rows: Sequence[tuple[Identity, bool]]


class Replay(NamedTuple):
    """Which of the bad rows so far are corrected, by number; larger numbers go round."""

    rows: Sequence[int]
    fails: bool = False


Step = Batch | Replay


@dataclass
class Model:
    """Each batch's rows in order: an identity, and the quantity that it states by now."""

    kind: str
    batches: list[dict[int, tuple[Identity, int | None]]] = field(default_factory=list)

    def standing(self) -> dict[Identity, list[int]]:
        """The lines of a pair's newest batch; the last statement of an order."""
        stands: dict[Identity, list[int]] = {}
        for batch in self.batches:
            stated: dict[Identity, list[int]] = defaultdict(list)
            for identity, quantity in batch.values():
                if quantity is not None:
                    stated[identity].append(quantity)
            for identity, quantities in stated.items():
                stands[identity] = quantities if self.kind == "order_items" else quantities[-1:]
        return {identity: sorted(quantities) for identity, quantities in stands.items()}


@dataclass
class Kept:
    """What the pipeline keeps of its batches."""

    kind: str
    facts: dict[Identity, list[CurrentRow]] = field(default_factory=dict)
    events: dict[str, list[Any]] = field(default_factory=dict)
    objects: InMemoryObjectStore = field(default_factory=InMemoryObjectStore)
    replays: list[tuple[str, str, str, Sequence[AnsweredRow]]] = field(default_factory=list)

    def read_correlated(self, correlation_id: str) -> list[Any]:
        return self.events[correlation_id]

    def publish(
        self, batch_id: str, key: str, rows: Sequence[CurrentRow], answers: Any = None
    ) -> None:
        """Take a batch into the facts: its lines of a pair, or its last order, replace all."""
        manifest = self.objects.put_json("b", f"{batch_id}.json", {"files": []}).model_dump()
        self.events[batch_id] = [
            an_event("BatchSealed", answers=answers, manifest=manifest),
            an_event("FileValidated", key=key, file_index=0),
            an_event("KpisPublished", epoch=len(self.events) + 1),
        ]
        stated: dict[Identity, list[CurrentRow]] = defaultdict(list)
        for row in rows:
            stated[row.identity].append(row)
        for identity, lines in stated.items():
            self.facts[identity] = lines if self.kind == "order_items" else lines[-1:]

    def replay(self, corrections: Sequence[Correction], batch_id: str, *, fails: bool) -> None:
        """What `ecp quarantine replay` does with them, and the pipeline with its upload."""
        precedences = Precedences(self, self.objects)  # type: ignore[arg-type]
        fixed = []
        for each in corrections:
            row_id = each.row_id
            place = precedences.of(Origin(row_id.batch_id, row_id.key, row_id.line))
            assert place is not None
            fixed.append(FixedRow(each, place))
        rows = plan(self.kind, fixed, placed(self.facts, precedences), arrange(self.replays)).rows
        if not rows:
            return
        key = f"{self.kind}/replays/{batch_id}.csv"
        uploaded = [UploadedRow(row, key, line) for line, row in enumerate(rows, start=2)]
        linked = links(uploaded)
        self.replays.append((batch_id, "FAILED" if fails else "COMPLETED", batch_id, linked.rows))
        if fails:
            self.events[batch_id] = []
            return
        ref = self.objects.put_json("b", f"quarantine/answers/{batch_id}.json", dumped(linked))
        standing = [self.stated(row.row.fields, batch_id, key, row.line) for row in uploaded]
        self.publish(batch_id, key, standing, ref.model_dump())

    def stated(self, fields: Sequence[str], batch_id: str, key: str, line: int) -> CurrentRow:
        width = len(IDENTITIES[self.kind][0])
        return CurrentRow(tuple(fields[:width]), batch_id, key, line, int(fields[width]), 100)

    def standing(self) -> dict[Identity, list[int]]:
        return {
            identity: sorted(row.quantity or 0 for row in rows)
            for identity, rows in self.facts.items()
        }


def dumped(linked: ReplayAnswers) -> dict[str, Any]:
    return linked.model_dump(mode="json")


def correction(kind: str, row_id: RowId, identity: Identity, quantity: int) -> Correction:
    tail = (str(quantity), "1.00") if kind == "order_items" else (str(quantity), "d", "1", "s")
    return Correction(kind, row_id, (*identity, *tail), "f")


def run(kind: str, steps: Sequence[Step]) -> None:
    """The history through both, compared after every step."""
    model, kept = Model(kind), Kept(kind)
    quantities = count(1)
    bad: list[tuple[int, RowId]] = []
    for number, step in enumerate(steps, start=1):
        batch_id = f"{number:016x}"
        if isinstance(step, Batch):
            key = f"{kind}/{batch_id}.csv"
            rows = {
                line: (identity, None if is_bad else next(quantities))
                for line, (identity, is_bad) in enumerate(step.rows, start=2)
            }
            bad += [
                (len(model.batches), RowId(batch_id, key, "v1", line))
                for line, (_, quantity) in rows.items()
                if quantity is None
            ]
            model.batches.append(dict(rows))
            healthy = [
                CurrentRow(identity, batch_id, key, line, quantity, 100)
                for line, (identity, quantity) in rows.items()
                if quantity is not None
            ]
            kept.publish(batch_id, key, healthy)
        elif bad:
            corrections = []
            for batch, row_id in dict.fromkeys(bad[n % len(bad)] for n in step.rows):
                identity, _ = model.batches[batch][row_id.line]
                quantity = next(quantities)
                corrections.append(correction(kind, row_id, identity, quantity))
                if not step.fails:
                    model.batches[batch][row_id.line] = identity, quantity
            kept.replay(corrections, batch_id, fails=step.fails)
        assert kept.standing() == model.standing()


def histories(kind: str) -> st.SearchStrategy[list[Step]]:
    """Batches of up to five rows and replays of up to three, the first of them a batch."""
    row = st.tuples(st.sampled_from(IDENTITIES[kind]), st.booleans())
    batches = st.builds(Batch, st.lists(row, max_size=5))
    chosen = st.lists(st.integers(0, 20), min_size=1, max_size=3)
    replays = st.builds(Replay, chosen, fails=st.sampled_from((False, False, False, True)))
    return st.builds(
        lambda first, rest: [first, *rest], batches, st.lists(batches | replays, max_size=9)
    )


@given(histories("order_items"))
def test_order_lines(steps: list[Step]) -> None:
    run("order_items", steps)


@given(histories("orders"))
def test_orders(steps: list[Step]) -> None:
    run("orders", steps)


PAIR = IDENTITIES["order_items"][0]
TWO_BAD_AND_ONE_GOOD = Batch([(PAIR, True), (PAIR, False), (PAIR, True)])


@pytest.mark.parametrize(
    "replays",
    [
        pytest.param([[1], [0], [1]], id="one, the other, the first again"),
        pytest.param([[0, 1], [0], [1], [1], [0]], id="both, then each by itself, twice"),
    ],
)
def test_each_row_of_a_pair_counts_once_however_often_they_are_corrected(
    replays: list[list[int]],
) -> None:
    run("order_items", [TWO_BAD_AND_ONE_GOOD, *map(Replay, replays)])
