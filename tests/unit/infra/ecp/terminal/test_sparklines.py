"""Amounts as a line of bars."""

import io
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.ecp.terminal.output import can_show
from infra.ecp.terminal.sparklines import BARS, NOTHING, sparkline

AMOUNTS = st.lists(st.none() | st.integers(0, 10**9) | st.decimals(0, 10**6, places=2))


def test_bars_go_from_nothing_to_the_largest() -> None:
    assert sparkline([0, 1, None, Decimal(4), 8]) == "▁▂·▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([None, -3]) == "·▁"
    assert sparkline([]) == ""


@given(AMOUNTS, st.integers(1, 80))
def test_it_is_never_wider_than_it_may_be_and_more_is_never_a_lower_bar(
    amounts: list[Decimal | int | None], widest: int
) -> None:
    line = sparkline(amounts, widest)
    assert len(line) == min(len(amounts), widest)
    if len(amounts) <= widest:
        assert [bar == NOTHING for bar in line] == [amount is None for amount in amounts]
        there = [(amount, BARS.index(bar)) for amount, bar in zip(amounts, line, strict=True)
                 if amount is not None]  # fmt: skip
        heights = [height for _, height in sorted(there)]
        assert heights == sorted(heights)


def test_more_than_fit_are_put_together() -> None:
    assert sparkline([1, 1, None, None, 8, 8], 3) == "▂·█"


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", True), ("ascii", False)])
def test_a_terminal_without_such_characters_gets_none(
    encoding: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert can_show(BARS + NOTHING) is shown
