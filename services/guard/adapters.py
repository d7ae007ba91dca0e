"""The ports of the guard on AWS: the published KPIs, read by key, and the notification topic."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from contracts.errors import Transient
from services.guard.history import History, by_day
from services.guard.notifications import SnsNotification
from services.runtime.storage import items
from services.runtime.storage.aws import translated

BY_DAY = "by-day"
KEYS_AT_ONCE = 100
"""Limit of BatchGetItem (AWS API reference)."""
READS_AT_ONCE = 16
SOLD_BEFORE_DAYS = 14
"""A category that was sold in these days before a judged one is judged too: it may be gone."""
MOST_DAYS_LOOKED_AT = 120
"""Of many days, so many are asked for the names of categories, evenly."""


class KpiTables:
    """OrderKPIs and CategoryKPIs, whose owner is the transformer; no read of them is a scan."""

    def __init__(self, client: Any, order_kpis: str, category_kpis: str) -> None:
        self._client = client
        self._order_kpis, self._category_kpis = order_kpis, category_kpis
        self._threads = ThreadPoolExecutor(READS_AT_ONCE, thread_name_prefix="kpis")

    def history(self, first: date, last: date, judged_from: date) -> History:
        """Both tables from `first` to `last`, of categories that were sold shortly before."""
        orders = by_day(self._orders(_days(first, last)))
        known = [day for day in orders if day >= judged_from - timedelta(SOLD_BEFORE_DAYS)]
        names = self._names(_evenly(sorted(known), MOST_DAYS_LOOKED_AT))
        found = self._threads.map(lambda name: self._category(name, first, last), names)
        return History(orders, dict(zip(names, map(by_day, found), strict=True)))

    def _names(self, days: Iterable[date]) -> list[str]:
        found = self._threads.map(self._categories_of, days)
        return sorted({name for of_day in found for name in of_day})

    def _categories_of(self, day: date) -> list[str]:
        of_day = self._query(
            IndexName=BY_DAY,
            KeyConditionExpression="order_date = :key",
            ExpressionAttributeValues=items.typed({":key": day.isoformat()}),
        )
        return [str(item["category"]) for item in of_day]

    def _category(self, name: str, first: date, last: date) -> list[dict[str, Any]]:
        return self._query(
            KeyConditionExpression="category = :key AND order_date BETWEEN :first AND :last",
            ExpressionAttributeValues=items.typed(
                {":key": name, ":first": first.isoformat(), ":last": last.isoformat()}
            ),
            ConsistentRead=True,
        )

    def _query(self, **request: Any) -> list[dict[str, Any]]:
        with translated(f"table {self._category_kpis}"):
            return list(
                items.pages(self._client, "query", request | {"TableName": self._category_kpis})
            )

    def _orders(self, days: Sequence[date]) -> list[dict[str, Any]]:
        keys = [items.typed({"order_date": day.isoformat()}) for day in days]
        chunks = [keys[n : n + KEYS_AT_ONCE] for n in range(0, len(keys), KEYS_AT_ONCE)]
        return [item for chunk in self._threads.map(self._batch, chunks) for item in chunk]

    def _batch(self, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {self._order_kpis: {"Keys": list(keys), "ConsistentRead": True}}

        def leaves_some() -> bool:
            nonlocal request
            answer = self._client.batch_get_item(RequestItems=request)
            found.extend(map(items.plain, answer["Responses"].get(self._order_kpis, ())))
            request = answer.get("UnprocessedKeys", {})
            return bool(request)

        try:
            with translated(f"table {self._order_kpis}"):
                Retrying(
                    retry=retry_if_result(bool),
                    stop=stop_after_attempt(6),
                    wait=wait_random_exponential(multiplier=0.02),
                )(leaves_some)
        except RetryError as error:
            raise Transient(f"DynamoDB leaves items of {self._order_kpis} unread") from error
        return found


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
