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
from tests.unit.validator.desk import BATCH, Desk

ONE_BAD = [*(f"{n},u1,2025-07-07,1.00,completed" for n in range(9)), "9,u1,2025-07-10,1,completed"]
"""Nine good rows and one for the day after tomorrow: some staged, some in quarantine."""
HALF_BAD = ["1,u1,2025-07-07,1.00,completed", "2,u1,2025-07-10,1.00,completed"]
"""So many bad rows that the file is rejected, until a day later it has none."""
WRITES = (1, 2, 3, 4)
"""The file itself, bad rows, good rows, the report: each is written, or removed."""


class Died(BaseException):
    """The process is gone."""


def a_desk(rows: list[str]) -> Desk:
    desk = Desk()
    header = "order_id,user_id,order_date,total_amount,status"
    desk.upload("orders/a.csv", "\n".join([header, *rows, ""]))
    return desk


def at_write(desk: Desk, number: int, happens: Callable[[], object]) -> None:
    """Before the write of that number, counted from now, this happens once."""
    bucket, writes = desk.bucket, iter(range(1, 100))
    as_before = {name: getattr(bucket, name) for name in ("keep", "remove", "restore")}

    def held_up(name: str) -> Callable[..., Any]:
        def write(*what: Any) -> Any:
            if next(writes) == number:
                vars(bucket).update(as_before)
                happens()
            return as_before[name](*what)

        return write

    vars(bucket).update({name: held_up(name) for name in as_before})


def what_stands_is_whole(desk: Desk) -> None:
    """Under each key of the file is what its latest conclusion names, and nothing else."""
    bucket = desk.bucket
    concluded = FileHistory.replay(desk.store.read(f"validation/{BATCH}/0")).latest
    assert concluded is not None
    report = FileReport.model_validate(bucket.get_json(concluded.report))
    assert desk.report() == report.model_dump(mode="json")
    refs = (report.staged, report.quarantined_rows, report.quarantined_file)
    pinned = {ref.key: bucket.versions[(ref.key, ref.version_id)] for ref in refs if ref}
    prefixes = (f"processing/{BATCH}/orders/", f"quarantine/{BATCH}/")
    standing = {key: bucket.standing[key] for prefix in prefixes for key in bucket.keys(prefix)}
    assert standing == pinned


def a_day_later(desk: Desk, fence: int) -> Callable[[], object]:
    def conclude() -> None:
        desk.now += timedelta(days=1)
        desk.validate(fence=fence)
        what_stands_is_whole(desk)

    return conclude


def refused_if(fence: int) -> AbstractContextManager[object]:
    return nullcontext() if fence == 7 else pytest.raises(StaleWriter)


def run(desk: Desk, command: Message) -> dict[str, Any]:
    return use_cases.validate_file(command, desk.ports())


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("rows", [ONE_BAD, HALF_BAD], ids=["accepted", "rejected"])
@pytest.mark.parametrize("write", WRITES)
def test_who_was_held_up_while_it_wrote_puts_everything_back(
    write: int, rows: list[str], fence: int
) -> None:
    desk = a_desk(rows)
    late = desk.command(0, 7)
    at_write(desk, write, a_day_later(desk, fence))
    with refused_if(fence):
        assert run(desk, late)["outcome"] == "VALIDATED"
    assert len(desk.events()) == 1
    what_stands_is_whole(desk)


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("write", WRITES)
def test_what_was_accepted_and_is_rejected_by_now_is_put_back_as_well(
    write: int, fence: int
) -> None:
    """The other way round: the late one would take the rejected file and its rows away."""
    desk = a_desk(HALF_BAD)
    desk.now += timedelta(days=1)
    late = desk.command(0, 7)

    def a_day_earlier() -> None:
        desk.now -= timedelta(days=1)
        desk.validate(fence=fence)

    at_write(desk, write, a_day_earlier)
    with refused_if(fence):
        assert run(desk, late)["outcome"] == "REJECTED"
    what_stands_is_whole(desk)


@pytest.mark.parametrize("fence", [7, 8])
@pytest.mark.parametrize("write", [2, 3, 4])
def test_who_died_on_the_way_puts_everything_back_when_it_comes_again(
    write: int, fence: int
) -> None:
    """It had been held up before it wrote anything, and died after some of it."""
    desk = a_desk(HALF_BAD)
    late = desk.command(0, 7)

    def overtaken_and_then_dead() -> None:
        a_day_later(desk, fence)()
        desk.now -= timedelta(days=1)
        at_write(desk, write - 1, die)

    at_write(desk, 1, overtaken_and_then_dead)
    with pytest.raises(Died):
        run(desk, late)
    with pytest.raises(AssertionError):
        what_stands_is_whole(desk)
    with refused_if(fence):
        assert run(desk, late)["outcome"] == "VALIDATED"
    what_stands_is_whole(desk)


def die() -> None:
    raise Died


def test_a_redrive_that_died_and_finds_its_file_gone_leaves_what_was_read_before() -> None:
    desk = a_desk(ONE_BAD)
    desk.validate(fence=7)
    desk.now += timedelta(days=1)
    redriven = desk.command(0, 8)
    at_write(desk, 4, die)
    with pytest.raises(Died):
        run(desk, redriven)
    desk.bucket.delete("orders/a.csv", desk.files[0]["version_id"])
    assert run(desk, redriven)["outcome"] == "VALIDATED"
    assert [event.fence for event in desk.events()] == [7, 8]
    what_stands_is_whole(desk)


@pytest.mark.parametrize("write", WRITES)
def test_a_redrive_that_cannot_write_leaves_what_stood_before(write: int) -> None:
    desk = a_desk(HALF_BAD)
    desk.validate(fence=7)
    desk.now += timedelta(days=1)
    redriven = desk.command(0, 8)
    at_write(desk, write, lambda: (_ for _ in ()).throw(StaleWriter("refused by the store")))
    with pytest.raises(StaleWriter):
        run(desk, redriven)
    what_stands_is_whole(desk)


@pytest.mark.parametrize("write", WRITES)
def test_a_redrive_while_something_older_is_put_back_stands_in_the_end(write: int) -> None:
    """Held up a second time, over the very objects of the redrive."""
    desk = a_desk(HALF_BAD)
    desk.validate(fence=7)
    again = desk.command(0, 7)
    desk.bucket.put_json("uploads", desk.events()[0].report.key, {"of": "an attempt that died"})
    at_write(desk, write, a_day_later(desk, 8))
    run(desk, again)
    assert [event.fence for event in desk.events()] == [7, 8]
    what_stands_is_whole(desk)


def test_a_redrive_over_which_something_older_was_put_back_looks_once_more() -> None:
    desk = a_desk(HALF_BAD)
    desk.validate(fence=7)
    again, redriven = desk.command(0, 7), desk.command(0, 8)
    desk.now += timedelta(days=1)
    append = desk.store.append

    def put_back_first(*what: Any, **how: Any) -> Any:
        desk.store.append = append  # type: ignore[method-assign]
        run(desk, replace(again, data=again.data.model_copy(update={"attempt": 1})))
        return append(*what, **how)

    desk.store.append = put_back_first  # type: ignore[method-assign]
    assert run(desk, redriven)["outcome"] == "VALIDATED"
    what_stands_is_whole(desk)


def test_what_an_erasure_has_rewritten_since_is_left_as_it_is() -> None:
    desk = a_desk(ONE_BAD)
    desk.validate()
    [concluded] = desk.events()
    staged = desk.report()["staged"]
    desk.bucket.delete(staged["key"], staged["version_id"])
    desk.bucket.standing[staged["key"]] = b"without the user"
    assert desk.validate()["outcome"] == "VALIDATED"
    assert desk.bucket.standing[staged["key"]] == b"without the user"
    assert desk.report() == desk.bucket.get_json(concluded.report)
