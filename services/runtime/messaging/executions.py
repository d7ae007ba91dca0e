"""Whether an execution of the saga is over, as Step Functions says it."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import Transient

ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
NO_SUCH_EXECUTION = frozenset({"ExecutionDoesNotExist", "InvalidArn", "ValidationException"})
"""The last one is what AWS says of a text that can be no ARN."""
MAX_ARN_CHARACTERS = 256
"""Limit of DescribeExecution (AWS API reference)."""


def may_be_asked_about(execution_id: str) -> bool:
    """Whether the text can be an ARN by its length and letters; whose, Step Functions knows."""
    return 0 < len(execution_id) <= MAX_ARN_CHARACTERS and execution_id.isprintable()


def how_it_ended(client: Any, execution_id: str) -> str | None:
    """The final status, or None while it may go on; an unknown execution is `UNKNOWN`, over.

    DescribeExecution on a boto3 `stepfunctions` client; its answer may lag by seconds. Raises
    Transient on every other fault: nobody is taken for dead because AWS is slow.
    """
    try:
        answer = client.describe_execution(executionArn=execution_id)
    except ClientError as error:
        if error.response["Error"]["Code"] in NO_SUCH_EXECUTION:
            return "UNKNOWN"
        raise Transient(f"{execution_id} cannot be described now: {error}") from error
    except BotoCoreError as error:
        raise Transient(f"Step Functions cannot be reached: {error}") from error
    status: str = answer["status"]
    return status if status in ENDED else None
