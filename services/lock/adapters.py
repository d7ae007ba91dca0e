"""Step Functions as the lock sees it: is this execution over?"""

from typing import Any

from services.runtime.messaging.executions import how_it_ended


class StepFunctionsExecutions:
    """On a boto3 `stepfunctions` client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ended(self, execution_id: str) -> str | None:
        """DescribeExecution; raises Transient when it cannot be told now."""
        return how_it_ended(self._client, execution_id)
