"""Worlds without a real clock, and a MiniStack of this suite's own for the lock."""

import gc
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.simulation.lock_clients import CONNECTIONS
from tests.simulation.run import simulated
from tests.support.ministack import running_ministack


@pytest.fixture
def simulation() -> Iterator[None]:
    """For a test that runs seeds: its garbage, worlds full of cycles, is collected at the end."""
    gc.disable()
    with simulated():
        yield
    gc.enable()
    gc.collect()


@pytest.fixture(scope="session")
def lock_dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A DynamoDB client of a MiniStack that runs as long as the tests do."""
    with running_ministack(tmp_path_factory.mktemp("ministack")) as environment:
        client = boto3.client(
            "dynamodb",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(max_pool_connections=CONNECTIONS),
        )
        yield client
