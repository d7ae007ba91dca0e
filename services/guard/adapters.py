"""The ports of the guard on AWS: the published KPIs, read by key, and the notification topic."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from services.guard.history import History, by_day
from services.guard.notifications import SnsNotification
from services.runtime.storage.aws import translated
from services.runtime.storage.published_kpis import PublishedKpis

SOLD_BEFORE_DAYS = 14
"""A category that was sold in these days before a judged one is judged too: it may be gone."""
MOST_DAYS_LOOKED_AT = 120
"""Of many days, so many are asked for the names of categories, evenly."""


class KpiTables:
    """The history of the published KPIs."""

    def __init__(self, client: Any, order_kpis: str, category_kpis: str) -> None:
        self._kpis = PublishedKpis(client, order_kpis, category_kpis, consistent=True)

    def history(self, first: date, last: date, judged_from: date) -> History:
        """Both tables from `first` to `last`, of categories that were sold shortly before."""
        orders = by_day(self._kpis.orders(_days(first, last)))
        known = [day for day in orders if day >= judged_from - timedelta(SOLD_BEFORE_DAYS)]
        of_days = self._kpis.categories(_evenly(sorted(known), MOST_DAYS_LOOKED_AT))
        names = sorted({str(item["category"]) for item in of_days})
        found = self._kpis.of_each_category(names, first, last)
        return History(orders, dict(zip(names, map(by_day, found), strict=True)))


class SnsPeople:
    """The notification topic, on a boto3 `sns` client."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client, self._topic_arn = client, topic_arn

    def tell(self, notice: SnsNotification) -> None:
        """Publish; SNS takes printable ASCII only in a subject, so other characters become `?`."""
        with translated(self._topic_arn):
            self._client.publish(
                TopicArn=self._topic_arn,
                Subject=notice.subject.encode("ascii", "replace").decode(),
                Message=notice.message,
            )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(at) for at in range((last - first).days + 1)]


def _evenly(days: Sequence[date], most: int) -> list[date]:
    """The days, or so many of them from one end to the other; always the last."""
    step = -(-len(days) // most) or 1
    return list(days[::-1][::step])
