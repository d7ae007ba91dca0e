"""boto3 clients, made once per process and service name, and their faults as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import PipelineError, Transient

CALLS_AT_ONCE = 16
"""What a client keeps connections for; one more is made anew for each call, with its handshake."""
CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=5,
    max_pool_connections=CALLS_AT_ONCE,
)


@cache
def client(service_name: str) -> Any:
    """A boto3 client with standard retries; AWS_ENDPOINT_URL is honoured by boto3 itself."""
    return boto3.client(service_name, config=CONFIG)


def for_threads(client: Any) -> Any:
    """The client, with the classes of its errors made, which botocore does when first asked.

    Two threads that ask first side by side get classes of their own each, and then an
    `except client.exceptions.X` lets X through.
    """
    _ = client.exceptions
    return client


def queue_name_of(arn_or_url: str) -> str:
    """The queue's name from its ARN or URL."""
    return arn_or_url.replace("/", ":").rsplit(":", 1)[-1]


def is_called(queue_name: str, plain: str) -> bool:
    """Whether a queue has this name, in whichever stage: that stands before it, with a dash."""
    return queue_name == plain or queue_name.endswith(f"-{plain}")


BUSY = frozenset(
    {
        "InternalError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
    }
)
"""Error codes with which AWS asks to come again."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """AWS's faults while `what` is touched: Transient when trying again may help, PipelineError."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in BUSY:
            raise Transient(f"{what}: AWS is busy: {error}") from error
        raise PipelineError(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise Transient(f"{what}: AWS cannot be reached: {error}") from error


def error_code(error: BaseException) -> str | None:
    """AWS's code of an error that `translated` may have told anew; None when it was not AWS's."""
    found = client_error_of(error)
    return None if found is None else found.response["Error"]["Code"]


def client_error_of(error: BaseException) -> ClientError | None:
    """The ClientError that an error is, or was raised from."""
    cause = error if isinstance(error, ClientError) else error.__cause__
    return cause if isinstance(cause, ClientError) else None
