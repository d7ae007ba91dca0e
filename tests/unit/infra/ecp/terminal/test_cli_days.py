"""Days and names as people type them."""

from datetime import date

import pytest

from infra.ecp.terminal.days import day
from infra.ecp.terminal.errors import WrongUsage
from infra.ecp.terminal.near_names import nearest

TODAY = date(2025, 3, 1)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2025-07-03", date(2025, 7, 3)),
        ("today", TODAY),
        ("Yesterday", date(2025, 2, 28)),
        ("3-days-ago", date(2025, 2, 26)),
        ("1 day ago", date(2025, 2, 28)),
    ],
)
def test_a_day_is_a_date_or_a_word(typed: str, meant: date) -> None:
    assert day("--from", typed, TODAY) == meant


@pytest.mark.parametrize("typed", ["", "July", "2025-02-30", "last week", "99999999-days-ago"])
def test_what_is_no_day_says_how_to_write_one(typed: str) -> None:
    with pytest.raises(WrongUsage, match=r"^--from .*: not a day; write it as YYYY-MM-DD, today"):
        day("--from", typed, TODAY)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("books", "Books"),
        ("BÜCHER", "Bücher"),
        ("bucher", "Bücher"),
        ("Electronic", "Electronics"),
        ("home  & garden", "Home & Garden"),
        ("xyz", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_that_without_case_and_accents_or_nearly_so(
    typed: str, meant: str | None
) -> None:
    assert nearest(typed, ["Books", "Bücher", "Electronics", "Home & Garden"]) == meant
