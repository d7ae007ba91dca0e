"""The story of a batch: every event has a sentence, in the order of what happened."""

from typing import Any

import pytest

from contracts.schemas import all_schemas
from infra.ecp.batches.timeline import timeline
from services.api.views.sentences import describe
from services.runtime.wording import plural, size, times
from tests.unit.infra.batch_events import an_event, completed_batch

EVENT_TYPES = sorted(schema.name for schema in all_schemas() if schema.kind == "events")


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_event_has_a_sentence_that_says_more_than_its_type(event_type: str) -> None:
    said = describe(an_event(event_type))
    assert event_type not in said
    assert "{" not in said
    assert len(said) > 5


def test_a_type_that_this_ecp_does_not_know_is_named_as_it_is() -> None:
    event = an_event("BatchCompleted")
    object.__setattr__(event, "event_type", "BatchAdmired")
    assert describe(event) == "BatchAdmired"


@pytest.mark.parametrize(
    ("event_type", "changes", "said"),
    [
        ("BatchSealed", {"trigger": "SETTLED"}, "3 files (4.1 KB): the set was complete"),
        ("BatchSealed", {"trigger": "MANUAL"}, "started by hand"),
        ("BatchStarted", {"attempt": 0}, "execution started"),
        ("BatchStarted", {"attempt": 1}, "execution started, attempt 2"),
        ("FileValidated", {"unknown_columns": ["note", "tag"]}, "ignored columns note, tag"),
        ("FileRejected", {}, "orders/1.csv rejected: column order_date is missing (rule file."),
        ("KpisPublished", {"waiting_order_items": 1}, "1 order line waiting for their orders"),
        ("LockQueued", {"position": 2}, "number 2 in line"),
        ("FilesReturned", {"awaiting_kinds": ["orders"]}, "waiting for a corrected orders file"),
        ("FilesReturned", {"awaiting_kinds": []}, "waiting for a corrected file"),
        (
            "FilesReturned",
            {"awaiting": [{"key": "orders/1.csv"}], "awaiting_kinds": ["orders"]},
            "waiting for a corrected orders/1.csv",
        ),
        ("FilesReturned", {"awaiting": [], "awaiting_kinds": []}, "free to go on by themselves"),
        ("FileIgnored", {"did_you_mean": "orders/1.csv"}, "did you mean orders/1.csv?"),
        ("FileSuperseded", {"by_key": None}, "orders/1.csv version v1 superseded by version v2: a"),
        ("FileSuperseded", {"by_key": "orders/2.csv"}, "by version v2 of orders/2.csv"),
        ("FileGone", {}, "orders/1.csv is gone: it was deleted before it was sealed"),
        ("RejectionAnswered", {}, "versions of orders/berlin.csv are published by batch 8c1d2e"),
        ("BatchReleased", {"file_count": 2}, "2 healthy files released as batch 8c1d2e3f4a5b6c7d"),
        ("BatchArchived", {"gone": ["orders/1.csv"]}, "deleted by somebody before: orders/1.csv"),
        (
            "FileSetSealed",
            {"superseded": [{"key": "a", "version_id": "1", "by_version_id": "2"}]},
            "closed as this batch; a version 1 superseded by version 2",
        ),
        ("QuarantineDismissed", {"lines": [7]}, "quarantined line 7 of orders/1.csv given up by"),
        ("QuarantineDismissed", {"lines": list(range(1, 14))}, "9, 10 and 3 more of orders/1.csv"),
        ("QuarantineDismissed", {"lines": None}, "everything in quarantine of orders/1.csv"),
        ("BatchOverdue", {"missing": ["order_items"]}, "order_items missing"),
        ("BatchCompleted", {"remark": "1 of 3 files rejected"}, "COMPLETED: 1 of 3 files rejected"),
    ],
)
def test_a_sentence_names_what_matters(event_type: str, changes: dict[str, Any], said: str) -> None:
    assert said in describe(an_event(event_type, **changes))


def test_a_rejection_names_each_file_at_fault_and_why() -> None:
    files = [{"key": "orders/a.csv", "reason": "no header"}, {"key": "b.csv", "reason": "empty"}]
    said = describe(an_event("BatchRejected", rejected_files=files))
    assert said == "REJECTED, nothing was published: orders/a.csv: no header; b.csv: empty"


def test_moments_are_told_in_the_order_they_happened_with_the_seconds_since_the_first() -> None:
    shuffled = completed_batch()[::-1]
    moments = timeline(shuffled)
    assert [moment.seconds for moment in moments] == [float(second) for second in range(10)]
    assert (moments[0].event_type, moments[-1].said) == ("BatchSealed", "COMPLETED")


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([], "FAILED: why"),
        ([("FactsPublished", 1)], "FAILED: why; but its publication has begun, and a redrive"),
        ([("FactsPublished", 1), ("KpisPublished", 9)], "FAILED: why; but it is published, and a"),
        ([("BatchRedriven", 6), ("FactsPublished", 7), ("KpisPublished", 9)], "FAILED: why"),
    ],
)
def test_a_failure_says_what_was_published_all_the_same_until_a_redrive(
    others: list[tuple[str, int]], said: str
) -> None:
    events = [an_event("BatchFailed", 5, reason="why"), *(an_event(*each) for each in others)]
    [failed] = [moment for moment in timeline(events) if moment.event_type == "BatchFailed"]
    assert failed.said.startswith(said)
    assert (";" in failed.said) == (";" in said)


def test_no_events_are_no_story() -> None:
    assert timeline([]) == []


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (98_100_000, "98.1 MB"),
        (5 * 10**12, "5,000.0 GB"),
    ],
)
def test_sizes_read_as_people_say_them(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_one_is_singular_and_thousands_are_separated() -> None:
    assert [plural(count, "row") for count in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]
    assert [times(count) for count in (1, 2, 3, 1200)] == [
        "once",
        "twice",
        "3 times",
        "1,200 times",
    ]
