"""boto3 clients, made once per process and service name; endpoints come from the environment."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5)


@cache
def client(service_name: str) -> Any:
    """A boto3 client with standard retries; AWS_ENDPOINT_URL is honoured by boto3 itself."""
    return boto3.client(service_name, config=CONFIG)


def queue_name_of(arn_or_url: str) -> str:
    """The queue's name from its ARN or URL."""
    return arn_or_url.replace("/", ":").rsplit(":", 1)[-1]
