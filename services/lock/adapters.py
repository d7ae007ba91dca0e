"""Step Functions as the lock sees it: is this execution over?"""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import Transient

ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
NO_SUCH_EXECUTION = {"ExecutionDoesNotExist", "InvalidArn"}


class StepFunctionsExecutions:
    """DescribeExecution on a boto3 `stepfunctions` client; its answer may lag by seconds."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ended(self, execution_id: str) -> str | None:
        """The final status, or None while it may go on; an unknown execution is `UNKNOWN`, over.

        Raises Transient on every other fault: nobody loses the lock because AWS is slow.
        """
        try:
            answer = self._client.describe_execution(executionArn=execution_id)
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_SUCH_EXECUTION:
                return "UNKNOWN"
            raise Transient(f"{execution_id} cannot be described now: {error}") from error
        except BotoCoreError as error:
            raise Transient(f"Step Functions cannot be reached: {error}") from error
        status: str = answer["status"]
        return status if status in ENDED else None
