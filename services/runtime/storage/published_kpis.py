"""The published KPIs, whose owner is the transformer, read by key; no read of them is a scan."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from contracts.errors import Transient
from services.runtime.storage import items
from services.runtime.storage.aws import CALLS_AT_ONCE, translated

Item = dict[str, Any]

BY_DAY = "by-day"
KEYS_AT_ONCE = 100
"""Limit of BatchGetItem (AWS API reference)."""


class PublishedKpis:
    """OrderKPIs and CategoryKPIs on a boto3 `dynamodb` client.

    `consistent`: a category's items are read as they are now. Those of a day come by an index,
    which DynamoDB never reads so.
    """

    def __init__(
        self, client: Any, order_kpis: str, category_kpis: str, *, consistent: bool = False
    ) -> None:
        self._client = client
        self._order_kpis, self._category_kpis = order_kpis, category_kpis
        self._of_category: dict[str, Any] = {"ConsistentRead": True} if consistent else {}
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="kpis")

    def orders(self, days: Iterable[date]) -> list[Item]:
        """OrderKPIs of the days that have some, in order of days."""
        keys = [items.typed({"order_date": day.isoformat()}) for day in sorted(set(days))]
        chunks = [keys[n : n + KEYS_AT_ONCE] for n in range(0, len(keys), KEYS_AT_ONCE)]
        found = [item for chunk in self._threads.map(self._batch, chunks) for item in chunk]
        return sorted(found, key=lambda item: str(item["order_date"]))

    def of_category(self, name: str, first: date, last: date) -> list[Item]:
        """CategoryKPIs of one category, in order of days."""
        return self._query(
            KeyConditionExpression="category = :key AND order_date BETWEEN :first AND :last",
            ExpressionAttributeValues=items.typed(
                {":key": name, ":first": first.isoformat(), ":last": last.isoformat()}
            ),
            **self._of_category,
        )

    def of_each_category(
        self, names: Iterable[str], first: date, last: date
    ) -> Iterator[list[Item]]:
        """As `of_category`, for one after the other; read side by side."""
        return self._threads.map(lambda name: self.of_category(name, first, last), names)

    def categories(self, days: Iterable[date]) -> list[Item]:
        """CategoryKPIs of all categories, in order of days."""
        found = self._threads.map(self._day, sorted(set(days)))
        return [item for day in found for item in day]

    def _day(self, day: date) -> list[Item]:
        return self._query(
            IndexName=BY_DAY,
            KeyConditionExpression="order_date = :key",
            ExpressionAttributeValues=items.typed({":key": day.isoformat()}),
        )

    def _query(self, **request: Any) -> list[Item]:
        with translated(f"table {self._category_kpis}"):
            return list(
                items.pages(self._client, "query", request | {"TableName": self._category_kpis})
            )

    def _batch(self, keys: Sequence[Mapping[str, Any]]) -> list[Item]:
        found: list[Item] = []
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
