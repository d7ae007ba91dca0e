"""`amount`, `day` and `text` against plain models of them: Decimal, datetime, and a few lines."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.sources import values_of

FORMATS = [(".", ""), (".", ","), (",", "."), (",", ""), (".", "'"), (",", " "), (".", " ")]
NUMERALS = st.one_of(
    st.text("0123456789.,' +-()eE€\u00a0\u202f٣", max_size=14),
    st.decimals(-(10**9), 10**9, places=4).map(str),
    st.text("0123456789", min_size=26, max_size=40),
    st.builds("{}.{}".format, st.integers(0, 99), st.text("0123456789", min_size=8, max_size=14)),
)


def amount(text: str, decimal: str, thousands: str) -> Decimal | None:
    """The model: taken apart by hand, nothing but digits and what the file writes between them."""
    text = re.sub("[\u00a0\u202f]", " ", text).strip(" ")
    if text[:1] in ("+", "-"):
        sign, text = text[0], text[1:]
    else:
        sign = ""
    whole, point, fraction = text.partition(decimal)
    groups = whole.split(thousands) if thousands else [whole]
    if len(groups) > 1 and (
        len(groups[0]) not in (1, 2, 3) or any(len(g) != 3 for g in groups[1:])
    ):
        return None
    digits = "".join(groups)
    if not (digits + fraction) or (point and not fraction):
        return None
    if not re.fullmatch("[0-9]*", digits) or not re.fullmatch("[0-9]*", fraction):
        return None
    if not digits and not point:
        return None
    if len(digits.lstrip("0")) > 28 or len(fraction.rstrip("0")) > 10:
        return None
    return Decimal(f"{sign}{digits or '0'}.{fraction or '0'}")


@pytest.mark.medium
@given(NUMERALS, st.sampled_from(FORMATS))
@example("1.234,56", (",", "."))
@example("1.23,4", (",", "."))
@example("1\u202f234,5", (",", " "))
@example("(12.50)", (".", ""))
@example("12.50-", (".", ""))
@example("1e3", (".", ""))
@example("1_000", (".", ""))
@example(".5", (".", ""))
@example("5.", (".", ""))
@example("0.00000000005", (".", ""))
@example("1.00000000000000", (".", ""))
@example("9" * 28, (".", ""))
@example("9" * 29, (".", ""))
def test_an_amount_is_the_number_that_the_file_writes_or_none(
    text: str, marks: tuple[str, str]
) -> None:
    decimal, thousands = marks
    [found] = values_of("amount(a)", [text], decimal=decimal, thousands=thousands)
    expected = amount(text, decimal, thousands)
    assert (found is None) == (expected is None), (found, expected)
    assert found is None or Decimal(found) == expected


PLACES = [
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y", "%m/%d/%Y %H:%M", "%Y%m%d", "%b %d, %Y",
    "%d %B %Y", "%a, %d %b %Y %H:%M:%S", "%m/%d/%y", "%Y-%j", "%Y-%m-%dT%H:%M:%S.%f",
    "%d-%b-%y %I:%M %p",
]  # fmt: skip
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31))  # noqa: DTZ001
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ZONES = ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC"]


@given(MOMENTS, st.sampled_from(PLACES))
def test_a_day_is_read_as_it_is_written(moment: datetime, form: str) -> None:
    assert values_of(f"day(a, '{form}')", [moment.strftime(form)]) == [f"{moment:%Y-%m-%d}"]


@given(MOMENTS, OFFSETS, st.sampled_from(["", " "]), st.booleans())
def test_without_a_zone_an_offset_is_read_over(
    moment: datetime, offset: timezone, space: str, has_colon: bool
) -> None:
    written = moment.replace(tzinfo=offset).strftime(f"%Y-%m-%d %H:%M:%S{space}%z")
    if has_colon:
        written = f"{written[:-2]}:{written[-2:]}"
    found = values_of("day(a, '%Y-%m-%d %H:%M:%S %z')", [written])
    assert found == [f"{moment:%Y-%m-%d}"]


@pytest.mark.medium
@given(MOMENTS, OFFSETS, st.sampled_from(ZONES))
@example(datetime(2026, 11, 6, 23, 30, 23), UTC, "Europe/Berlin")  # noqa: DTZ001
@example(datetime(2026, 10, 25, 0, 30), UTC, "Europe/Berlin")  # noqa: DTZ001
def test_with_a_zone_the_moment_is_on_its_calendar(
    moment: datetime, offset: timezone, zone: str
) -> None:
    there = moment.replace(tzinfo=offset)
    written = there.strftime("%Y-%m-%dT%H:%M:%S%z")
    found = values_of(f"day(a, '%Y-%m-%dT%H:%M:%S%z', '{zone}')", [written])
    assert found == [f"{there.astimezone(ZoneInfo(zone)):%Y-%m-%d}"]


@given(MOMENTS, st.sampled_from(ZONES))
def test_a_moment_without_offset_is_in_utc(moment: datetime, zone: str) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    found = values_of(f"day(a, '%Y-%m-%d %H:%M', '{zone}')", [f"{moment:%Y-%m-%d %H:%M}"])
    assert found == [f"{there:%Y-%m-%d}"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "2026-13-01", "2026-1-1 x", "x2026-01-01", "infinity", "-infinity", "epoch",
        "today", "now", "20260101", "99999-01-01", "2026-01-01 10:00", "01.01.2026",
        "\u0662026-01-01",
    ],
)  # fmt: skip
def test_what_the_format_does_not_say_is_no_day(text: str) -> None:
    assert values_of("day(a, '%Y-%m-%d')", [text]) == [None]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-01 10:00:00 Z", "2026-01-01"),
        ("2026-01-01 10:00:00 +02", "2026-01-01"),
        ("2026-01-01 10:00:00", None),
        ("2026-01-01 10:00:00 CEST", None),
        ("2026-01-01 10:00:00 +2", None),
    ],
)
def test_an_offset_that_the_format_asks_for_has_to_be_there(text: str, day: str | None) -> None:
    assert values_of("day(a, '%Y-%m-%d %H:%M:%S %z')", [text]) == [day]
    zoned = "day(a, '%Y-%m-%d %H:%M:%S %z', 'UTC')"
    assert values_of(zoned, [text]) == [day]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("'00123", "00123"),
        ('="00123"', "00123"),
        ('="a ""b"""', 'a "b"'),
        ("  a\u00a0", "a"),
        ("'", None),
        ('=""', None),
        ('="', '="'),
        ("=SUM(A1)", "=SUM(A1)"),
        ("00123", "00123"),
        ("a'b", "a'b"),
    ],
)
def test_a_text_is_what_a_spreadsheet_shows(written: str, shown: str | None) -> None:
    assert values_of("text(a)", [written]) == [shown]


def test_the_machine_s_locale_and_zone_change_nothing() -> None:
    code = """
import sys
from tests.support.sources import values_of
print(values_of("day(a, '%d %b %Y %H:%M %z', 'Europe/Berlin')", ["06 Nov 2026 23:30 +0000"]))
print(values_of("day(a, '%d %b %Y')", ["06 Nov 2026"]))
print(values_of("amount(a) * 1.5", ["1.234,56"], decimal=",", thousands="."))
"""
    environments = [
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
        {"TZ": "America/Los_Angeles", "LC_ALL": "C"},
    ]
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for environment in environments
    }
    assert said == {"['2026-11-07']\n['2026-11-06']\n['1851.84']\n"}


@pytest.mark.parametrize(
    ("expression", "given", "value"),
    [
        ("amount(a) * 3", "0.1", "0.3"),
        ("amount(a) * amount(a) * (1 - 0.05)", "10.5", "104.7375"),
        ("amount(a) / 3", "10", "3.333333"),
        ("amount(a) / 2", "19.95", "9.975"),
        ("amount(a) / 0", "10", None),
        ("amount(a) * amount(a)", "9" * 20, None),
        ("round(amount(a))", "2.5", "3"),
        ("round(amount(a), 2)", "9.975", "9.98"),
        ("floor(amount(a) / 2)", "5", "2"),
        ("amount(a) % 3", "5", "2"),
        ("abs(-amount(a))", "5", "5"),
        ("greatest(amount(a), 7)", "5", "7"),
        ("split_part(a, ' > ', 2)", "A > B > C", "B"),
        ("regexp_extract(a, '(\\d+)-(\\d+)', 2)", "12-34", "34"),
        ("regexp_replace(a, '[^0-9]', '', 'g')", "EUR 5", "5"),
        ("case when a like '%50\\%%' escape '\\' then 'y' else 'n' end", "has 50% off", "y"),
        ("case when a like 'A_C' then 'y' else 'n' end", "a.c", "n"),
        ("case when a ilike 'A_C' then 'y' else 'n' end", "a.c", "y"),
        ("case when a not like 'x%' then 'y' end", "yx", "y"),
        ("lpad(a, 5, '0')", "42", "00042"),
        (
            "regexp_replace(a, '^.*refund.*$', 'Returned to the seller')",
            "a refund",
            "Returned to the seller",
        ),
        ("replace(replace(replace(a, 'ä', 'ae'), 'ö', 'oe'), 'ß', 'ss')", "äöß", "aeoess"),
        ("if(contains(a, 'x'), 'y', a)", "axb", "y"),
        ("cast(amount(a) as varchar) || '%'", "5.50", "5.5%"),
        ("coalesce(nullif(a, '0'), 'guest')", "0", "guest"),
        ("upper(a) || amount('1.0')", "a", "A1"),
    ],
)
def test_an_expression_means_what_it_says(expression: str, given: str, value: str | None) -> None:
    assert values_of(expression, [given]) == [value]
