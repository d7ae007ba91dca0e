"""The ports of the api on AWS: PipelineViews, and the two KPI tables, read by key."""

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from contracts.envelope import Message, parse
from contracts.errors import PipelineError, Transient
from services.api.kpis.periods import Span
from services.api.views.domain import ViewItem, partition_of
from services.runtime.storage import items
from services.runtime.storage.aws import error_code, translated

Position = Mapping[str, str]
Body = dict[str, Any]

BY_TIME, BY_DAY = "by-time", "by-day"
KEYS_AT_ONCE = 100
"""Limit of BatchGetItem (AWS API reference)."""
DAYS_AT_ONCE = 16


@dataclass(frozen=True)
class Page:
    """Some bodies, and where the next page begins; None after the last."""

    bodies: list[Body]
    next: Position | None


class ViewsTable:
    """PipelineViews on a boto3 `dynamodb` client; bodies are JSON text."""

    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def put(self, view_items: Iterable[ViewItem]) -> None:
        """Put each unless one of the same or a higher rank is there."""
        for one in view_items:
            item: dict[str, Any] = {
                "pk": one.pk,
                "sk": one.sk,
                "rank": one.rank,
                "body": json.dumps(one.body, separators=(",", ":"), ensure_ascii=False),
            }
            if one.listed is not None:
                item |= {"list": one.listed, "at": one.at}
            if one.expires_at is not None:
                item["expires_at"] = one.expires_at
            try:
                with translated(f"item of {self._table}"):
                    self._client.put_item(
                        TableName=self._table,
                        Item=items.typed(item),
                        ConditionExpression="attribute_not_exists(pk) OR #rank < :rank",
                        ExpressionAttributeNames={"#rank": "rank"},
                        ExpressionAttributeValues=items.typed({":rank": one.rank}),
                    )
            except PipelineError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def events_of(self, batch_id: str) -> list[Message]:
        """Every event of a batch that was put before this was asked."""
        found, position = [], None
        while True:
            page = self.page(partition_of(batch_id), "event#", position, None)
            found += [parse(body) for body in page.bodies]
            position = page.next
            if position is None:
                return found

    def get(self, pk: str, sk: str) -> Body | None:
        """The body under a key."""
        item = items.get_item(self._client, self._table, {"pk": pk, "sk": sk})
        return None if item is None else json.loads(item["body"])

    def page(self, pk: str, beginning: str, position: Position | None, limit: int | None) -> Page:
        """Items of a partition whose sort key begins so (empty: all of them), in order."""
        condition, values = "pk = :pk", {":pk": pk}
        if beginning:  # DynamoDB takes no empty text for a key
            condition, values = (
                f"{condition} AND begins_with(sk, :sk)",
                {**values, ":sk": beginning},
            )
        return self._query(
            position,
            limit,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=items.typed(values),
            ConsistentRead=True,
        )

    def between(
        self, pk: str, first: str, last: str, position: Position | None, limit: int | None
    ) -> Page:
        """Items of a partition from one sort key to another, in order."""
        return self._query(
            position,
            limit,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=items.typed({":pk": pk, ":first": first, ":last": last}),
            ConsistentRead=True,
        )

    def newest(self, listed: str, position: Position | None, limit: int) -> Page:
        """A list, newest first."""
        return self._query(
            position,
            limit,
            IndexName=BY_TIME,
            KeyConditionExpression="#list = :list",
            ExpressionAttributeNames={"#list": "list"},
            ExpressionAttributeValues=items.typed({":list": listed}),
            ScanIndexForward=False,
        )

    def _query(self, position: Position | None, limit: int | None, **request: Any) -> Page:
        if position is not None:
            request["ExclusiveStartKey"] = items.typed(position)
        if limit is not None:
            request["Limit"] = limit
        with translated(f"table {self._table}"):
            answer = self._client.query(TableName=self._table, **request)
        after = answer.get("LastEvaluatedKey")
        return Page(
            [json.loads(item["body"]["S"]) for item in answer["Items"]],
            after and {name: value["S"] for name, value in after.items()},
        )


class KpiTables:
    """The published KPIs, whose owner is the transformer; no read of them is a scan."""

    def __init__(self, client: Any, order_kpis: str, category_kpis: str) -> None:
        self._client = client
        self._order_kpis, self._category_kpis = order_kpis, category_kpis
        self._threads = ThreadPoolExecutor(DAYS_AT_ONCE, thread_name_prefix="days")

    def orders(self, days: Iterable[date]) -> list[Body]:
        """OrderKPIs of the days that have some, by key."""
        keys = [items.typed({"order_date": day.isoformat()}) for day in sorted(set(days))]
        chunks = [keys[n : n + KEYS_AT_ONCE] for n in range(0, len(keys), KEYS_AT_ONCE)]
        found = [item for chunk in self._threads.map(self._batch, chunks) for item in chunk]
        return sorted(found, key=lambda item: str(item["order_date"]))

    def category(self, name: str, span: Span) -> list[Body]:
        """CategoryKPIs of one category, in order of days."""
        return self._query(
            KeyConditionExpression="category = :key AND order_date BETWEEN :first AND :last",
            ExpressionAttributeValues=items.typed(
                {":key": name, ":first": str(span.first), ":last": str(span.last)}
            ),
        )

    def categories(self, days: Iterable[date]) -> list[Body]:
        """CategoryKPIs of all categories, in order of days."""
        found = self._threads.map(self._day, sorted(set(days)))
        return [item for day in found for item in day]

    def _day(self, day: date) -> list[Body]:
        return self._query(
            IndexName=BY_DAY,
            KeyConditionExpression="order_date = :key",
            ExpressionAttributeValues=items.typed({":key": day.isoformat()}),
        )

    def _query(self, **request: Any) -> list[Body]:
        with translated(f"table {self._category_kpis}"):
            return list(
                items.pages(self._client, "query", request | {"TableName": self._category_kpis})
            )

    def _batch(self, keys: Sequence[Mapping[str, Any]]) -> list[Body]:
        found: list[Body] = []
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
