"""A file that was sent again unchanged has no second set of open rows, whatever became of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import BatchManifest
from services.runtime.quarantine.copies import Copies, Input, Sealed, arrange
from services.runtime.quarantine.replays import Replay, RowId, is_open
from services.runtime.quarantine.resolutions import Dismissal, Resolutions
from services.runtime.storage.documents import InMemoryObjectStore
from services.validator.quarantine.stored import read_copies
from tests.unit.infra.ecp.batches.test_outcome import an_example

KEY, LINE = "orders/a.csv", 7


def batch_id(number: int) -> str:
    return f"{number:016x}"


def at(minute: int) -> str:
    return f"2025-07-07T12:{minute:02}:00.000Z"


def manifest(number: int, *contents: str, **changes: Any) -> BatchManifest:
    """A batch with a file per content, under the same key where it is the first."""
    [file] = an_example("BatchManifest")["files"]
    files = [
        file
        | {"index": index, "sha256": None, "etag": content, "kind": "orders"}
        | {"key": KEY if not index else f"orders/{index}.csv"}
        | changes
        for index, content in enumerate(contents)
    ]
    return BatchManifest(**an_example("BatchManifest", batch_id=batch_id(number), files=files))


def sealed(number: int, *contents: str, status: str = "COMPLETED", **changes: Any) -> Sealed:
    return Sealed(status, at(number), manifest(number, *contents, **changes))


def row(number: int, line: int = LINE) -> RowId:
    return RowId(batch_id(number), KEY, f"v{number}", line)


def dismissed(number: int, minute: int, *lines: int) -> Dismissal:
    return Dismissal(batch_id(number), KEY, frozenset(lines) or None, "dana", "why", at(minute))


def replayed(number: int, minute: int, status: str = "COMPLETED") -> dict[RowId, Replay]:
    return {row(number): Replay(batch_id(99), status, at(minute), ("1",))}


TWICE = arrange([sealed(1, "same"), sealed(2, "same")])


def test_the_newest_copy_is_open_and_the_older_one_is_answered_by_it() -> None:
    resolutions = Resolutions({}, copies=TWICE)
    assert [resolutions.of(row(1)), resolutions.of(row(2))] == ["answered", "open"]
    assert resolutions.repeated_in(batch_id(1), KEY) == batch_id(2)
    assert resolutions.repeated_in(batch_id(2), KEY) is None
    assert [resolutions.of_file(batch_id(n), KEY) for n in (1, 2)] == ["answered", "open"]


def test_files_that_differ_are_two_whatever_they_are_called() -> None:
    resolutions = Resolutions({}, copies=arrange([sealed(1, "one"), sealed(2, "other")]))
    assert [resolutions.of(row(1)), resolutions.of(row(2))] == ["open", "open"]


def test_equal_content_under_another_key_is_a_copy_and_another_kind_is_none() -> None:
    copies = arrange([sealed(1, "same"), sealed(2, "x", "same")])
    assert copies.newer(Input(batch_id(1), KEY)) == Input(batch_id(2), "orders/1.csv")
    assert arrange([sealed(1, "same"), sealed(2, "same", kind="products")]) == Copies()


def test_a_copy_in_a_rejected_batch_never_stands_for_one_that_is_published() -> None:
    copies = arrange([sealed(1, "same"), sealed(2, "same", status="REJECTED")])
    assert copies.newer(Input(batch_id(1), KEY)) is None
    assert copies.newer(Input(batch_id(2), KEY)) == Input(batch_id(1), KEY)


def test_a_repeat_within_one_batch_has_no_rows_and_stands_for_nothing() -> None:
    assert arrange([sealed(1, "same"), sealed(2, "same", duplicate_of=0)]) == Copies()


def test_a_dismissal_of_either_copy_holds_for_the_one_that_is_left() -> None:
    for number in (1, 2):
        for lines in ((), (LINE,)):
            resolutions = Resolutions({}, [dismissed(number, 10, *lines)], copies=TWICE)
            assert [resolutions.of(row(1)), resolutions.of(row(2))] == ["answered", "dismissed"]
    assert Resolutions({}, [dismissed(1, 10, LINE + 1)], copies=TWICE).of(row(2)) == "open"


def test_a_replay_of_an_older_copy_does_not_answer_what_was_stated_anew_after_it() -> None:
    assert Resolutions(replayed(1, 1), copies=TWICE).of(row(2)) == "open"
    assert Resolutions(replayed(2, 5), copies=TWICE).of(row(2)) == "answered"


def test_copies_are_read_from_the_manifests_of_what_is_in_quarantine() -> None:
    objects = InMemoryObjectStore()
    rows = [
        {
            "batch_id": batch_id(number),
            "status": "COMPLETED",
            "sealed_at": at(number),
            "manifest": objects.put_json(
                "b", f"m{number}", manifest(number, "same").model_dump(mode="json")
            ).model_dump(),
        }
        for number in (1, 2, 3)
    ]
    copies = read_copies(rows, [batch_id(1), batch_id(2)], objects)
    assert copies.newer(Input(batch_id(1), KEY)) == Input(batch_id(2), KEY)
    assert read_copies(rows, [batch_id(1)], objects) == Copies()


class Word(NamedTuple):
    """A replay or a dismissal of the row in one of the batches."""

    kind: str
    number: int


WORDS = st.lists(
    st.builds(
        Word,
        st.sampled_from(("dismissed", "COMPLETED", "FAILED", "RUNNING")),
        st.integers(1, 4),
    ),
    max_size=6,
)
BATCHES = st.lists(
    st.tuples(st.sampled_from("xy"), st.sampled_from(("COMPLETED", "REJECTED", "FAILED"))),
    min_size=1,
    max_size=4,
)


def plainly(batches: Sequence[tuple[str, str]], words: Sequence[Word], number: int) -> str:
    """The resolution of the row of a batch, told as a person would."""
    content = batches[number - 1][0]
    alike = [n for n, (each, _) in enumerate(batches, start=1) if each == content]
    published = [n for n in alike if batches[n - 1][1] == "COMPLETED"]
    if number != (published or alike)[-1]:
        return "answered"
    resolution = "open"
    for kind, of in words:
        if kind == "dismissed" and of in alike and resolution != "answered":
            resolution = "dismissed"
        elif kind == "COMPLETED" and of == number:
            resolution = "answered"
        elif of == number and resolution == "dismissed" and kind != "dismissed":
            resolution = "open"
    return resolution


@given(BATCHES, WORDS)
def test_each_bad_row_is_open_in_one_place_at_most(
    batches: list[tuple[str, str]], words: list[Word]
) -> None:
    words = [word for word in words if word.number <= len(batches)]
    answers: dict[RowId, Replay] = {}
    dismissals = []
    for minute, (kind, number) in enumerate(words, start=10):
        if kind == "dismissed":
            dismissals.append(dismissed(number, minute))
        elif kind == "COMPLETED" or is_open(row(number), answers):
            answers |= replayed(number, minute, kind)
    copies = arrange(sealed(n, c, status=s) for n, (c, s) in enumerate(batches, start=1))
    resolutions = Resolutions(answers, dismissals, copies=copies)
    found = {number: resolutions.of(row(number)) for number in range(1, len(batches) + 1)}
    assert found == {number: plainly(batches, words, number) for number in found}
    for content in "xy":
        alike = [n for n, (each, _) in enumerate(batches, start=1) if each == content]
        assert sum(found[n] == "open" for n in alike) <= 1


@pytest.mark.parametrize("name", ["sha256", "etag"])
def test_contents_are_compared_by_what_s3_says_of_them(name: str) -> None:
    one = sealed(1, "e1", **{name: "same"})
    two = sealed(2, "e1", **{name: "same"})
    assert arrange([one, two]).newer(Input(batch_id(1), KEY)) is not None
    other = sealed(2, "e1", **{name: "other"})
    assert arrange([one, other]).newer(Input(batch_id(1), KEY)) is None
