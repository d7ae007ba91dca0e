"""Blocks of a source's file are read while the one before them is judged."""

from collections.abc import Iterator
from threading import Event, get_ident

import pytest

from contracts.errors import DataRejected
from services.validator.sources.file_reading import AHEAD, ahead


def test_items_come_in_order_and_are_made_in_another_thread() -> None:
    makers = set()

    def made() -> Iterator[int | None]:
        for number in range(5):
            makers.add(get_ident())
            yield number or None

    assert list(ahead(made())) == [None, 1, 2, 3, 4]
    assert len(makers) == 1
    assert get_ident() not in makers


def test_the_next_is_made_before_this_one_is_done() -> None:
    second = Event()

    def made() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    items = ahead(made())
    assert next(items) == 1
    assert second.wait(60)
    assert list(items) == [2]


def test_a_fault_comes_in_its_place() -> None:
    def made() -> Iterator[int]:
        yield 1
        raise DataRejected("line 7")

    items = ahead(made())
    assert next(items) == 1
    with pytest.raises(DataRejected, match="line 7"):
        next(items)


def test_whoever_stops_early_has_little_read_in_vain() -> None:
    read = []

    def made() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    items = ahead(made())
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert len(read) <= 1 + AHEAD
