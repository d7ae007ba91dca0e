"""What questions leave in PipelineViews for some time."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from contracts.clock import Clock, to_rfc3339
from contracts.errors import PipelineError
from services.runtime.storage import items
from services.runtime.storage.aws import error_code, translated


class Remembered:
    """Items under `question#<name>` of the views' table, on a boto3 `dynamodb` client."""

    def __init__(self, dynamodb: Any, views_table: str, clock: Clock) -> None:
        self._dynamodb, self._views_table, self._clock = dynamodb, views_table, clock

    def get(self, name: str, sort_key: str) -> dict[str, Any] | None:
        """What was put; None where nothing was, or is no longer."""
        key = {"pk": f"question#{name}", "sk": sort_key}
        with translated(f"item of {self._views_table}"):
            return items.get_item(self._dynamodb, self._views_table, key)

    def put(self, name: str, sort_key: str, told: Mapping[str, str], kept: timedelta) -> bool:
        """Whether it was put: not where something is there."""
        return self._put(name, sort_key, told, kept, "attribute_not_exists(pk)", {})

    def ask(self, name: str, kept: timedelta, again_after: timedelta) -> bool:
        """Whether to ask now: not where somebody has within `again_after`."""
        now = self._clock()
        return self._put(
            name,
            "asked",
            {"asked_at": to_rfc3339(now)},
            kept,
            "attribute_not_exists(pk) OR asked_at < :before",
            {"ExpressionAttributeValues": items.typed({":before": to_rfc3339(now - again_after)})},
        )

    def was_asked(self, name: str) -> bool:
        """By what `ask` has put."""
        return self.get(name, "asked") is not None

    def _put(
        self,
        name: str,
        sort_key: str,
        told: Mapping[str, str],
        kept: timedelta,
        condition: str,
        values: Mapping[str, Any],
    ) -> bool:
        expires_at = int((self._clock() + kept).timestamp())
        item = {"pk": f"question#{name}", "sk": sort_key, **told, "expires_at": expires_at}
        try:
            with translated(f"item of {self._views_table}"):
                self._dynamodb.put_item(
                    TableName=self._views_table,
                    Item=items.typed(item),
                    ConditionExpression=condition,
                    **values,
                )
        except PipelineError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True
