"""Days on which trade is unlike itself, and which day of last year a day is to be held against.

Only the feasts that most shops share are known: Good Friday to Easter Monday, the Thursday before
Black Friday to the Tuesday after it, 24 December to 2 January. A shop's own days are learnt: what
was odd on the same day of last year is expected this year.
"""

from datetime import date, timedelta

LONGEST_YEAR = 400
"""Days back, more than `alike_last_year` ever says."""
AROUND = 5
"""Days before and after a feast that moves, which move with it."""


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    golden, century, rest = year % 19, year // 100, year % 100
    epact = (
        19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15
    ) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def black_friday(year: int) -> date:
    """The day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta((3 - first.weekday()) % 7 + 22)


def is_feast(day: date) -> bool:
    """Whether most shops are unlike themselves on this day."""
    return (
        -2 <= (day - easter(day.year)).days <= 1
        or -1 <= (day - black_friday(day.year)).days <= 4
        or (day.month == 12 and day.day >= 24)
        or (day.month == 1 and day.day <= 2)
    )


def alike_last_year(day: date) -> list[int]:
    """How many days before this one the days are that it is held against.

    The same weekday and the same date of last year; around Easter and Black Friday the day as far
    from the feast.
    """
    found = {364, (day - _same_date(day, day.year - 1)).days}
    for feast in (easter, black_friday):
        distance = day - feast(day.year)
        if abs(distance.days) <= AROUND:
            found.add((day - feast(day.year - 1) - distance).days)
    return sorted(found)


def _same_date(day: date, year: int) -> date:
    """29 February is 28 February of a year that has none."""
    return date(year, day.month, min(day.day, 28) if day.month == 2 else day.day)
