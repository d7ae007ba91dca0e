"""What a day's number is made of: looked for, and asked of the transformer where nobody has yet."""

from datetime import date
from typing import Any

from services.api.kpis.answers import Kpis
from services.api.kpis.periods import Span
from services.api.questions.domain import Command, explain
from services.api.questions.ports import AsksOthers


class NothingPublished(Exception):
    """There is no number to explain; the text says of what and when."""


def explanation_of(
    kpis: Kpis, others: AsksOthers, order_date: date, category: str | None, requested_by: str
) -> tuple[str, dict[str, Any] | None]:
    """The KpiExplanation under the id of its question; None while it is worked out.

    Raises NothingPublished.
    """
    if category is None:
        items = kpis.orders([order_date])
    else:
        items = kpis.category(category, Span(order_date, order_date))
    if not items:
        what = "orders" if category is None else f"category {category}"
        raise NothingPublished(f"nothing of {what} is published for {order_date}")
    return answer_to(explain(items[0], requested_by), others)


def answer_to(command: Command, others: AsksOthers) -> tuple[str, dict[str, Any] | None]:
    """The document under the id of its question; None while it is worked out."""
    found = others.answer(command.question_id)
    if found is None:
        others.ask(command)
    return command.question_id, found
