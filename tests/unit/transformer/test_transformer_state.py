"""The transformer's decisions by themselves: epochs, fences, what a batch's files amount to."""

from typing import Any

import pytest

from contracts.envelope import parse
from contracts.errors import PipelineError, StaleWriter
from contracts.messages import BatchManifest, FileReport, FileResult, ObjectRef
from services.transformer.batch.domain import BatchHistory, InFlight, TransformerState
from services.transformer.batch.reconciliation import (
    InputsRejected,
    check_inputs,
    check_row_counts,
    file_results,
    staged_check,
    statement_indexes,
)
from tests.contract.builders import a_document, an_envelope

BATCH, OTHER = "3f2a9c0d1e4b5a67", "76a5b4e1d0c9a2f3"
MAINS = {"orders": 2**60 + 1, "products": 5}
MOVED = {"orders": 7, "products": 8}
RESULT = ObjectRef(bucket="b", key="result.json", version_id="v1", sha256="0" * 64)
NEW = TransformerState()


def begun(fence: int = 3, attempt: int = 0) -> TransformerState:
    return NEW.begin(BATCH, fence, attempt, MAINS)


def test_each_attempt_is_the_next_epoch_and_keeps_the_highest_fence() -> None:
    first = begun(fence=3, attempt=2)
    assert (first.epoch, first.fence, first.phase) == (1, 3, "FACTS")
    assert first.in_flight == InFlight(BATCH, "FACTS", 2, MAINS)
    second = first.begin(OTHER, 1, 0, MOVED)
    assert (second.epoch, second.fence) == (2, 3)
    assert second.in_flight is not None
    assert (second.in_flight.batch_id, second.in_flight.attempt) == (OTHER, 0)


def test_mains_count_only_while_nothing_was_published() -> None:
    assert begun().heads == MAINS
    published = begun().publish(MOVED, RESULT).settle()
    again = published.begin(OTHER, 3, 0, MAINS)
    assert again.heads == MOVED
    assert again.in_flight is not None
    assert again.in_flight.heads_before == MOVED


def test_publishing_moves_the_heads_and_keeps_those_before() -> None:
    publishing = begun(attempt=4).publish(MOVED, RESULT, "keys", "EUR")
    assert publishing.heads == MOVED
    assert publishing.in_flight == InFlight(BATCH, "PUBLISHING", 4, MAINS, RESULT)
    assert (publishing.pseudonym_check, publishing.currency) == ("keys", "EUR")
    assert publishing.settle().phase == "SETTLED"
    assert publishing.settle().heads == MOVED


def test_who_named_users_or_a_currency_first_has_said_it_for_good() -> None:
    first = begun().publish(MOVED, RESULT, "keys", "EUR").settle()
    second = first.begin(OTHER, 4, 0, MAINS).publish(MAINS, RESULT, "others", "USD")
    assert (second.pseudonym_check, second.currency) == ("keys", "EUR")
    assert second.rekeyed(MOVED, "newer").pseudonym_check == "newer"
    assert second.rekeyed(MOVED, "newer").heads == MOVED


def test_nothing_in_flight_cannot_be_published() -> None:
    with pytest.raises(PipelineError, match="epoch 0 has nothing in flight to publish"):
        NEW.publish(MOVED, RESULT)


@pytest.mark.parametrize("deed", ["begin", "begin_abandoning"])
def test_what_is_being_published_is_to_be_finished_first(deed: str) -> None:
    publishing = begun().publish(MOVED, RESULT)
    with pytest.raises(StaleWriter, match=f"epoch 1 is publishing batch {BATCH}"):
        getattr(publishing, deed)(OTHER, 9, 0, MAINS)
    taken_over = publishing.take_over(9)
    assert (taken_over.epoch, taken_over.fence, taken_over.phase) == (2, 9, "PUBLISHING")
    assert publishing.take_over(1).fence == 3


def test_a_batch_that_was_given_up_under_a_grant_cannot_begin_under_it() -> None:
    given_up = NEW.begin_abandoning(BATCH, 2, 1, MAINS)
    assert given_up.in_flight == InFlight(BATCH, "ABANDONING", 1, MAINS)
    given_up = begun().begin_abandoning(BATCH, 3, 1, MAINS)
    assert (given_up.epoch, given_up.phase, given_up.abandoned_fence) == (2, "ABANDONING", 3)
    with pytest.raises(StaleWriter, match="abandoned under lock fence 3") as refusal:
        given_up.begin(BATCH, 3, 2, MAINS)
    assert refusal.value.seen_fence == 3
    assert given_up.begin(BATCH, 4, 0, MAINS).abandoned_fence == 3
    assert given_up.begin_abandoning(BATCH, 2, 0, MAINS).abandoned_fence == 3


@pytest.mark.parametrize(
    "state",
    [
        begun(),
        begun().publish(MOVED, RESULT, "keys", "EUR"),
        begun().publish(MOVED, RESULT).settle(),
        begun().begin_abandoning(BATCH, 5, 1, MAINS),
    ],
    ids=lambda state: state.phase,
)
def test_a_state_is_read_as_it_was_stored(state: TransformerState) -> None:
    item = state.to_item()
    assert TransformerState.from_item(item) == state
    assert (item["StateId"], item["phase"]) == ("facts", state.phase)
    assert all(isinstance(head, str) for head in item["heads"].values())


def test_an_absent_item_and_one_of_the_code_before_are_read_too() -> None:
    assert TransformerState.from_item(None) == NEW
    old = begun().to_item()
    del old["pseudonym_check"], old["currency"]
    assert TransformerState.from_item(old) == begun()


def test_a_change_is_conditional_on_epoch_and_phase() -> None:
    assert NEW.as_stored() == {"epoch": None}
    assert begun().as_stored() == {"epoch": 1, "phase": "FACTS", "fence": begun().fence}


def test_a_history_remembers_beginning_result_and_giving_up() -> None:
    def event(name: str, version: int, **changes: Any) -> Any:
        envelope = an_envelope(name, stream_version=version)
        return parse(envelope | {"data": envelope["data"] | changes})

    assert BatchHistory.replay([]) == BatchHistory(0, None, 0, is_begun=False)
    started = event("TransformStarted", 1)
    assert BatchHistory.replay([started]) == BatchHistory(1, None, 0, is_begun=True)
    given_up = BatchHistory.replay([started, event("BatchAbandoned", 2, fence=6)])
    assert given_up == BatchHistory(2, None, 6, is_begun=True)
    published = event("KpisPublished", 3)
    history = BatchHistory.replay([started, published])
    assert (history.version, history.result) == (3, published.data.result)
    given_up.admit(BATCH, 7)
    with pytest.raises(StaleWriter, match="abandoned under lock fence 6") as refusal:
        given_up.admit(BATCH, 6)
    assert refusal.value.seen_fence == 6


def a_report(key: str = "orders/a.csv", **changes: Any) -> FileReport:
    report = {
        "key": key,
        "rows_in": 10,
        "accepted": 7,
        "quarantined": 2,
        "duplicates": 1,
        "guests": 3,
        "unknown_columns": ["note"],
        "pseudonym_check": "keys",
    }
    return FileReport.model_validate(a_document("FileReport", **report | changes))


def a_file(index: int = 0, **changes: Any) -> dict[str, Any]:
    [file] = a_document("BatchManifest")["files"]
    return {**file, "index": index, "key": f"orders/{index}.csv", "kind": "orders", **changes}


def a_manifest(*files: dict[str, Any]) -> BatchManifest:
    return BatchManifest.model_validate(a_document("BatchManifest", files=files))


def test_pseudonyms_of_other_keys_than_those_of_the_facts_are_stale() -> None:
    lines = a_report(kind="order_items", pseudonym_check=None)
    nothing = a_report(staged=None, pseudonym_check="others")
    assert staged_check({0: lines, 1: nothing}, "keys") is None
    assert staged_check({0: a_report(), 1: lines}, None) == "keys"
    assert staged_check({0: a_report()}, "keys") == "keys"
    for reports, of_the_facts in (
        ({0: a_report(pseudonym_check="others")}, "keys"),
        ({0: a_report(), 1: a_report(pseudonym_check="others")}, None),
        ({0: a_report(), 1: a_report(pseudonym_check="others")}, "keys"),
    ):
        with pytest.raises(StaleWriter, match="redrive the batch"):
            staged_check(reports, of_the_facts)


def test_a_file_of_guests_only_says_nothing_of_any_keys() -> None:
    guests = a_report(accepted=3, guests=3, pseudonym_check="others")
    assert staged_check({0: guests}, "keys") is None
    assert staged_check({0: a_report(accepted=4, guests=3)}, None) == "keys"
    old = a_report(accepted=1, pseudonym_check="others", guests=...)
    with pytest.raises(StaleWriter, match="redrive the batch"):
        staged_check({0: old}, "keys")


def test_files_of_one_statement_are_as_new_as_the_newest_of_them() -> None:
    files = [
        a_file(0, statement="x"),
        a_file(1),
        a_file(2, statement="y"),
        a_file(3, statement="x"),
        a_file(4, statement=None),
    ]
    assert statement_indexes(a_manifest(*files)) == {0: 3, 1: 1, 2: 2, 3: 3, 4: 4}
    assert statement_indexes(a_manifest(*files[::-1])) == {0: 3, 1: 1, 2: 2, 3: 3, 4: 4}
    assert statement_indexes(a_manifest(a_file(0, statement="alone"))) == {0: 0}


def test_a_rejected_file_rejects_the_batch_and_is_named() -> None:
    reports = {
        0: a_report(),
        1: a_report("orders/b.csv", status="rejected", reason="no header"),
        2: a_report("orders/c.csv", status="rejected", reason="empty"),
    }
    with pytest.raises(InputsRejected) as refusal:
        check_inputs(reports, None)
    assert str(refusal.value) == "orders/b.csv was rejected: no header"
    assert refusal.value.file_indexes == (1, 2)


@pytest.mark.parametrize(
    ("said", "of_the_facts", "currency"),
    [
        ([None, None], None, None),
        ([None, "EUR"], None, "EUR"),
        (["EUR", "EUR"], "EUR", "EUR"),
        ([None], "EUR", None),
    ],
)
def test_a_batch_is_in_the_currency_that_its_files_say(
    said: list[str | None], of_the_facts: str | None, currency: str | None
) -> None:
    reports = {index: a_report(currency=one) for index, one in enumerate(said)}
    assert check_inputs(reports, of_the_facts) == currency


def test_another_currency_than_the_facts_is_rejected_with_the_files_at_fault() -> None:
    reports = {
        index: a_report(f"orders/{index}.csv", currency=currency)
        for index, currency in enumerate(["EUR", "USD", None, "USD", "USD", "USD"])
    }
    with pytest.raises(InputsRejected) as refusal:
        check_inputs(reports, "EUR")
    assert refusal.value.file_indexes == (1, 3, 4, 5)
    assert (
        "what is published is in EUR: EUR in orders/0.csv; USD in orders/1.csv, orders/3.csv, "
        "orders/4.csv and 1 more. Convert the amounts"
    ) in str(refusal.value)


def test_two_currencies_in_one_batch_reject_all_who_say_one() -> None:
    reports = {0: a_report(currency="EUR"), 1: a_report("b.csv", currency="USD"), 2: a_report()}
    with pytest.raises(InputsRejected, match="files of this batch are in more than") as refusal:
        check_inputs(reports, None)
    assert refusal.value.file_indexes == (0, 1)
    assert "EUR in orders/a.csv; USD in b.csv." in str(refusal.value)


def results(file: dict[str, Any], report: FileReport, stand: int, superseded: int) -> Any:
    place = ("orders", 0)
    reports = {0: report}
    return file_results(a_manifest(file), reports, {place: stand}, {place: superseded})


def test_a_file_is_told_with_the_validators_sum() -> None:
    assert results(a_file(), a_report(), 5, 2) == [
        FileResult(
            index=0,
            key="orders/0.csv",
            kind="orders",
            rows_in=10,
            reason=None,
            unknown_columns=["note"],
            status="accepted",
            accepted=7,
            quarantined=2,
            duplicates=1,
            guests=3,
        )
    ]


def test_a_file_of_equal_content_is_a_duplicate_row_by_row() -> None:
    [told] = results(a_file(1, duplicate_of=0), a_report(), 0, 0)
    assert (told.status, told.accepted, told.quarantined) == ("duplicate", 0, 0)
    assert (told.index, told.duplicates, told.rows_in, told.guests) == (1, 10, 10, 0)


def test_what_follows_a_duplicate_is_told_too() -> None:
    manifest = a_manifest(a_file(), a_file(1, duplicate_of=0), a_file(2))
    place, other = ("orders", 0), ("orders", 2)
    told = file_results(manifest, {0: a_report(), 2: a_report()}, {place: 7, other: 7}, {})
    assert [one.status for one in told] == ["accepted", "duplicate", "accepted"]


def test_a_report_of_the_code_before_has_neither_repeats_nor_guests() -> None:
    report = a_report(rows_in=9, duplicates=..., guests=...)
    [told] = results(a_file(), report, 7, 0)
    assert (told.duplicates, told.guests) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "stand", "superseded", "said"),
    [
        ({"rows_in": 11}, 7, 0, "11 rows in"),
        ({"rows_in": 9}, 7, 0, "9 rows in"),
        ({}, 6, 0, "7 rows were staged, 6 stand and 0 are replaced"),
        ({}, 7, 1, "7 rows were staged, 7 stand and 1 are replaced"),
    ],
)
def test_a_file_that_does_not_add_up_stops_the_batch(
    changes: dict[str, Any], stand: int, superseded: int, said: str
) -> None:
    with pytest.raises(PipelineError, match=f"does not balance: {said}"):
        results(a_file(), a_report(**changes), stand, superseded)


def test_rows_that_nobody_counted_are_none() -> None:
    report = a_report(rows_in=3, accepted=0)
    [told] = file_results(a_manifest(a_file()), {0: report}, {}, {})
    assert told.accepted == 0


@pytest.mark.parametrize(
    ("after", "touched", "is_right"),
    [
        ({"orders": 13}, ["orders"], True),
        ({"orders": 12}, ["orders"], False),
        ({"orders": 14}, ["orders"], False),
        ({"orders": 10}, [], True),
        ({"orders": 13}, [], False),
        ({"orders": 13, "products": 4}, ["orders"], True),
        ({"orders": 13, "products": 5}, ["orders"], False),
    ],
    ids=str,
)
def test_each_table_holds_what_the_batch_should_leave(
    after: dict[str, int], touched: list[str], is_right: bool
) -> None:
    before, replaced, written = {"orders": 10, "products": 4}, {"orders": 2}, {"orders": 5}
    counts = (before, replaced, written, after, touched)
    if is_right:
        check_row_counts(*counts)
    else:
        with pytest.raises(PipelineError, match="nothing was published"):
            check_row_counts(*counts)
