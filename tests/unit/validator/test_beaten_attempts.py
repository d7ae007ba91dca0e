"""Whoever is beaten by another attempt leaves every object as the one that stands has made it.

One attempt is held up in the middle of its writing, or dies there. Meanwhile the clock moves on, a
date that was too far ahead is none any more, and another attempt ends otherwise.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.envelope import Message
from contracts.errors import StaleWriter
from contracts.messages import FileReport
from services.validator import use_cases
from services.validator.domain import FileHistory
from tests.unit.validator.harness import BATCH, ValidatorHarness

ONE_BAD = [*(f"{n},u1,2025-07-07,1.00,completed" for n in range(9)), "9,u1,2025-07-10,1,completed"]
"""Nine good rows and one for the day after tomorrow: some staged, some in quarantine."""
HALF_BAD = ["1,u1,2025-07-07,1.00,completed", "2,u1,2025-07-10,1.00,completed"]
"""So many bad rows that the file is rejected, until a day later it has none."""
WRITES = (1, 2, 3, 4)
"""The file itself, bad rows, good rows, the report: each is written, or removed."""


class Died(BaseException):
    """The process is gone."""


def a_harness(rows: list[str]) -> ValidatorHarness:
    harness = ValidatorHarness()
    header = "order_id,user_id,order_date,total_amount,status"
    harness.upload("orders/a.csv", "\n".join([header, *rows, ""]))
    return harness


def at_write(harness: ValidatorHarness, number: int, happens: Callable[[], object]) -> None:
    """Before the write of that number, counted from now, this happens once."""
    bucket, writes = harness.bucket, iter(range(1, 100))
    as_before = {name: getattr(bucket, name) for name in ("keep", "remove", "restore")}

    def held_up(name: str) -> Callable[..., Any]:
        def write(*what: Any) -> Any:
            if next(writes) == number:
                vars(bucket).update(as_before)
                happens()
            return as_before[name](*what)

        return write

    vars(bucket).update({name: held_up(name) for name in as_before})


def what_stands_is_whole(harness: ValidatorHarness) -> None:
    """Under each key of the file is what its latest conclusion names, and nothing else."""
    bucket = harness.bucket
    concluded = FileHistory.replay(harness.store.read(f"validation/{BATCH}/0")).latest
    assert concluded is not None
    report = FileReport.model_validate(bucket.get_json(concluded.report))
    assert harness.report() == report.model_dump(mode="json")
    refs = (report.staged, report.quarantined_rows, report.quarantined_file)
    pinned = {ref.key: bucket.versions[(ref.key, ref.version_id)] for ref in refs if ref}
    prefixes = (f"processing/{BATCH}/orders/", f"quarantine/{BATCH}/")
    standing = {key: bucket.standing[key] for prefix in prefixes for key in bucket.keys(prefix)}
    assert standing == pinned


def a_day_later(harness: ValidatorHarness, fence: int) -> Callable[[], object]:
    def conclude() -> None:
        harness.now += timedelta(days=1)
        harness.validate(fence=fence)
        what_stands_is_whole(harness)

    return conclude


def refused_if(fence: int) -> AbstractContextManager[object]:
    return nullcontext() if fence == 7 else pytest.raises(StaleWriter)


def run(harness: ValidatorHarness, command: Message) -> dict[str, Any]:
    return use_cases.validate_file(command, harness.ports())


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("rows", [ONE_BAD, HALF_BAD], ids=["accepted", "rejected"])
@pytest.mark.parametrize("write", WRITES)
def test_who_was_held_up_while_it_wrote_puts_everything_back(
    write: int, rows: list[str], fence: int
) -> None:
    harness = a_harness(rows)
    late = harness.command(0, 7)
    at_write(harness, write, a_day_later(harness, fence))
    with refused_if(fence):
        assert run(harness, late)["outcome"] == "VALIDATED"
    assert len(harness.events()) == 1
    what_stands_is_whole(harness)


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("write", WRITES)
def test_what_was_accepted_and_is_rejected_by_now_is_put_back_as_well(
    write: int, fence: int
) -> None:
    """The other way round: the late one would take the rejected file and its rows away."""
    harness = a_harness(HALF_BAD)
    harness.now += timedelta(days=1)
    late = harness.command(0, 7)

    def a_day_earlier() -> None:
        harness.now -= timedelta(days=1)
        harness.validate(fence=fence)

    at_write(harness, write, a_day_earlier)
    with refused_if(fence):
        assert run(harness, late)["outcome"] == "REJECTED"
    what_stands_is_whole(harness)


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("write", [2, 3, 4])
def test_who_died_on_the_way_puts_everything_back_when_it_comes_again(
    write: int, fence: int
) -> None:
    """It had been held up before it wrote anything, and died after some of it."""
    harness = a_harness(HALF_BAD)
    late = harness.command(0, 7)

    def overtaken_and_then_dead() -> None:
        a_day_later(harness, fence)()
        harness.now -= timedelta(days=1)
        at_write(harness, write - 1, die)

    at_write(harness, 1, overtaken_and_then_dead)
    with pytest.raises(Died):
        run(harness, late)
    with pytest.raises(AssertionError):
        what_stands_is_whole(harness)
    with refused_if(fence):
        assert run(harness, late)["outcome"] == "VALIDATED"
    what_stands_is_whole(harness)


def die() -> None:
    raise Died


def test_a_redrive_that_died_and_finds_its_file_gone_leaves_what_was_read_before() -> None:
    harness = a_harness(ONE_BAD)
    harness.validate(fence=7)
    harness.now += timedelta(days=1)
    redriven = harness.command(0, 8)
    at_write(harness, 4, die)
    with pytest.raises(Died):
        run(harness, redriven)
    harness.bucket.delete("orders/a.csv", harness.files[0]["version_id"])
    assert run(harness, redriven)["outcome"] == "VALIDATED"
    assert [event.fence for event in harness.events()] == [7, 8]
    what_stands_is_whole(harness)


@pytest.mark.parametrize("write", WRITES)
def test_a_redrive_that_cannot_write_leaves_what_stood_before(write: int) -> None:
    harness = a_harness(HALF_BAD)
    harness.validate(fence=7)
    harness.now += timedelta(days=1)
    redriven = harness.command(0, 8)
    at_write(harness, write, lambda: (_ for _ in ()).throw(StaleWriter("refused by the store")))
    with pytest.raises(StaleWriter):
        run(harness, redriven)
    what_stands_is_whole(harness)


@pytest.mark.parametrize("write", WRITES)
def test_a_redrive_while_something_older_is_put_back_stands_in_the_end(write: int) -> None:
    """Held up a second time, over the very objects of the redrive."""
    harness = a_harness(HALF_BAD)
    harness.validate(fence=7)
    again = harness.command(0, 7)
    harness.bucket.put_json(
        "uploads", harness.events()[0].report.key, {"of": "an attempt that died"}
    )
    at_write(harness, write, a_day_later(harness, 8))
    run(harness, again)
    assert [event.fence for event in harness.events()] == [7, 8]
    what_stands_is_whole(harness)


def test_a_redrive_over_which_something_older_was_put_back_looks_once_more() -> None:
    harness = a_harness(HALF_BAD)
    harness.validate(fence=7)
    again, redriven = harness.command(0, 7), harness.command(0, 8)
    harness.now += timedelta(days=1)
    append = harness.store.append

    def put_back_first(*what: Any, **how: Any) -> Any:
        harness.store.append = append  # type: ignore[method-assign]
        run(harness, replace(again, data=again.data.model_copy(update={"attempt": 1})))
        return append(*what, **how)

    harness.store.append = put_back_first  # type: ignore[method-assign]
    assert run(harness, redriven)["outcome"] == "VALIDATED"
    what_stands_is_whole(harness)


def test_what_an_erasure_has_rewritten_since_is_left_as_it_is() -> None:
    harness = a_harness(ONE_BAD)
    harness.validate()
    [concluded] = harness.events()
    staged = harness.report()["staged"]
    harness.bucket.delete(staged["key"], staged["version_id"])
    harness.bucket.standing[staged["key"]] = b"without the user"
    assert harness.validate()["outcome"] == "VALIDATED"
    assert harness.bucket.standing[staged["key"]] == b"without the user"
    assert harness.report() == harness.bucket.get_json(concluded.report)
