"""A day as people type it."""

import re
from datetime import date, datetime, timedelta

from infra.ecp.terminal.errors import WrongUsage

FORMS = "YYYY-MM-DD, today, yesterday or 3-days-ago"
_AGO = re.compile(r"(\d{1,5})[ -]days?[ -]ago")
_NAMED = {"today": 0, "yesterday": 1}


def day(option: str, text: str, today: date) -> date:
    """The day that is meant; `option` says where it was typed, `today` is the present one (UTC).

    Raises WrongUsage for what is no day.
    """
    said = text.strip().lower()
    if said in _NAMED:
        return today - timedelta(days=_NAMED[said])
    try:
        if ago := _AGO.fullmatch(said):
            return today - timedelta(days=int(ago.group(1)))
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 (a day has no zone)
    except (ValueError, OverflowError) as error:
        raise WrongUsage(f"{option} {text}: not a day; write it as {FORMS}") from error
