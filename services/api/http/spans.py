"""Which days a question is about, and which it may be about."""

from datetime import date
from http import HTTPStatus

from services.api.http.ports import Ports
from services.api.http.problems import ProblemFound
from services.api.kpis.bounds import FIRST_DAY, LAST_DAY, usual_span
from services.api.kpis.periods import Span
from services.api.views.reading import newest_day


def span_of(ports: Ports, first: date | None, last: date | None, most: int) -> Span:
    """The span that is asked for; raises ProblemFound (400) for one that cannot be answered."""
    last = last or newest_day(ports.views) or ports.clock().date()
    if not FIRST_DAY <= last <= LAST_DAY or (first and first < FIRST_DAY):
        detail = f"days go from {FIRST_DAY} to {LAST_DAY}"
        raise ProblemFound(HTTPStatus.BAD_REQUEST, detail)
    span = Span(first, last) if first else usual_span(last)
    if span.first > span.last:
        raise ProblemFound(HTTPStatus.BAD_REQUEST, f"from {span.first} is after to {span.last}")
    if span.days > most:
        detail = f"{span.first} to {last} are {span.days} days; ask for at most {most} at once"
        raise ProblemFound(HTTPStatus.BAD_REQUEST, detail)
    return span
