"""DynamoDB on a MiniStack, for what a double cannot show: many writers at once."""

from typing import Any

import boto3
import pytest

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION


@pytest.fixture(scope="session")
def ministack_dynamodb(ministack_endpoint: str) -> Any:
    """A client of that MiniStack's DynamoDB, for up to 32 threads."""
    return boto3.client(
        "dynamodb",
        endpoint_url=ministack_endpoint,
        region_name=LOCAL_REGION,
        aws_access_key_id=LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=LOCAL_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=boto3.session.Config(max_pool_connections=32),
    )
