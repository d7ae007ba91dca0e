"""Views are the same whatever order events come in, how often, and in how many deliveries."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Message
from services.api.use_cases import Intake
from services.api.views.domain import ViewItem
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.unit.api.harness import ApiHarness, InMemoryViews, a_life, an_event

pytestmark = pytest.mark.medium

SET = "file-set/ecommerce-data-bucket/4"
OTHER_LIFE = a_life(OTHER_BATCH)[:5]
A_FILE = {"bucket": "ecommerce-data-bucket", "key": "order/a.csv", "version_id": "v1"}
FILE_SET = [
    an_event("FileIgnored", SET, 1, 1, **A_FILE, reason="no folder", did_you_mean="orders/a.csv"),
    an_event("FileDetected", SET, 2, 1, **A_FILE),
    an_event("FileIgnored", SET, 3, 2, **A_FILE | {"key": "readme.txt"}, reason="no CSV"),
    an_event("FileGone", SET, 4, 3, **A_FILE | {"key": "orders/b.csv"}, reason="deleted"),
    an_event("FileDetected", SET, 5, 9, **A_FILE | {"key": "orders/c.csv", "version_id": "v2"}),
]
EVERYTHING = [*a_life(), *OTHER_LIFE, *FILE_SET]


def shown(*deliveries: list[Message]) -> dict[tuple[str, str], ViewItem]:
    views = InMemoryViews()
    for delivery in deliveries:
        intake = Intake(views)
        for message in delivery:
            intake.take(message)
        intake.show()
    return views.items


def model(events: list[Message]) -> dict[str, Any]:
    """What a batch is, told plainly: the newest event of each kind in its stream has the word."""
    newest: dict[Any, Message] = {}
    for event in sorted(events, key=lambda one: one.stream_version):
        newest[event.stream_id, event.event_type] = event
        newest[event.stream_id] = event
    life = f"batch/{BATCH}"
    words = {
        "BatchSealed": "SEALED", "BatchStarted": "RUNNING", "BatchFailed": "FAILED",
        "BatchRedriven": "SEALED", "BatchCompleted": "COMPLETED",
    }  # fmt: skip
    in_life = sorted(
        (one for one in events if one.stream_id == life and one.event_type in words),
        key=lambda one: one.stream_version,
    )
    files = [one.data for (*_, kind), one in _pairs(newest) if kind == "FileValidated"]
    return {
        "status": words[in_life[-1].event_type] if in_life else "UNSEALED",
        "rows_in": sum(file.rows_in for file in files),
        "accepted": sum(file.accepted for file in files),
        "quarantined": sum(file.quarantined for file in files),
        "duplicates": sum(file.duplicates for file in files),
        "files_validated": len(files),
        "order_kpis": next(
            (one.data.order_kpis for one in events if one.event_type == "KpisPublished"), None
        ),
        "events": len({(one.stream_id, one.stream_version) for one in events}),
        "last_event_at": max(one.occurred_at for one in events),
    }


def _pairs(newest: dict[Any, Message]) -> list[tuple[tuple[str, str], Message]]:
    return [(key, one) for key, one in newest.items() if isinstance(key, tuple)]


@st.composite
def deliveries(draw: st.DrawFn, events: list[Message]) -> list[list[Message]]:
    """All events, some twice, shuffled and cut into deliveries."""
    again = draw(st.lists(st.sampled_from(events), max_size=8))
    order = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    edges = [0, *cuts, len(order)]
    return [order[start:end] for start, end in pairwise(edges)]


@given(deliveries(EVERYTHING))
def test_any_order_with_repeats_shows_what_the_right_order_does(
    delivered: list[list[Message]],
) -> None:
    assert shown(*delivered) == shown(EVERYTHING)


@given(st.data())
def test_a_batch_is_what_a_plain_model_says_after_any_of_its_events(data: st.DataObject) -> None:
    some = data.draw(
        st.lists(st.sampled_from(a_life()), min_size=1, unique_by=lambda m: m.event_id)
    )
    views = shown(*data.draw(deliveries(some)))
    view = views[f"batch#{BATCH}", "view"].body
    expected = model(some)
    assert {name: view[name] for name in expected} == expected


@given(st.permutations(a_life()), st.integers(1, 6))
def test_takers_side_by_side_leave_the_newest_view(order: list[Message], takers: int) -> None:
    """Each looks after it has written: whoever looks last has seen all, and is not outranked."""
    views = InMemoryViews()
    waiting: list[list[ViewItem]] = []

    class Slow(InMemoryViews):
        def put(self, view_items: Any) -> None:
            kept = list(view_items)
            if any(one.sk == "view" for one in kept):
                waiting.append(kept)  # shown later, after others have shown theirs
                return
            views.put(kept)

        def events_of(self, batch_id: str) -> list[Message]:
            return views.events_of(batch_id)

    for start in range(0, len(order), takers):
        intake = Intake(Slow())
        for message in order[start : start + takers]:
            intake.take(message)
        intake.show()
    for late in reversed(waiting):
        views.put(late)
    expected = shown(list(order))
    assert views.items == expected


def test_the_view_of_a_batch_that_was_run_again() -> None:
    api = ApiHarness()
    api.hear(*a_life())
    view = api.ask(f"/batches/{BATCH}").json["batch"]
    assert (view["status"], view["attempt"], view["reason"]) == ("COMPLETED", 1, None)
    assert (view["rows_in"], view["accepted"], view["quarantined"]) == (30, 25, 2)
    assert (view["duplicates"], view["left_out"]) == (1, 2)
    assert (view["first_day"], view["last_day"], view["engine"]) == (
        "2025-07-01", "2025-07-02", "duckdb",
    )  # fmt: skip
    assert view["waits_for_lock"] is None


def test_a_batch_of_which_the_beginning_has_not_come_says_so() -> None:
    api = ApiHarness()
    api.hear(a_life()[4])
    view = api.ask(f"/batches/{BATCH}").json["batch"]
    assert (view["status"], view["sealed_at"], view["quarantined"]) == ("UNSEALED", None, 9)


def test_a_file_that_was_taken_in_after_all_is_left_out_no_more() -> None:
    api = ApiHarness()
    api.hear(*reversed(FILE_SET))
    left_out = api.ask("/ignored").json["ignored"]
    assert [(one["what"], one["key"]) for one in left_out] == [
        ("gone", "orders/b.csv"),
        ("ignored", "readme.txt"),
    ]


def test_what_cannot_be_kept_is_raised_so_that_it_comes_again() -> None:
    class Broken(InMemoryViews):
        def put(self, view_items: Any) -> None:
            raise RuntimeError(f"no table for {view_items}")

    intake = Intake(Broken())
    intake.take(a_life()[0])
    with pytest.raises(RuntimeError):
        intake.show()
