"""The ports of the api on AWS: PipelineViews, and the two KPI tables, read by key."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.envelope import Message, parse
from contracts.errors import PipelineError
from services.api.kpis.periods import Span
from services.api.views.domain import ViewItem, partition_of
from services.api.views.reading import every
from services.runtime.storage import items
from services.runtime.storage.aws import error_code, translated
from services.runtime.storage.published_kpis import PublishedKpis

Position = Mapping[str, str]
Body = dict[str, Any]

BY_TIME = "by-time"


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
        return [parse(body) for body in every(self, partition_of(batch_id), "event#")]

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


class KpiTables(PublishedKpis):
    """The published KPIs, as the answers ask for them."""

    def category(self, name: str, span: Span) -> list[Body]:
        """CategoryKPIs of one category, in order of days."""
        return self.of_category(name, span.first, span.last)
