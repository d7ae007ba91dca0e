"""A MiniStack of this suite's own, for what a double cannot show: many writers at once."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from infra.local import ministack
from infra.local.folders import Folders
from infra.local.processes import ChildProcess
from tests.support.pipeline import eventually


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MiniStack that runs as long as the tests do."""
    directory = tmp_path_factory.mktemp("ministack")
    folders = Folders(directory)
    for folder in (folders.state, folders.run):
        folder.mkdir(parents=True, exist_ok=True)
    port = ministack.claim_port(0)
    server = ChildProcess(
        ministack.COMMAND,
        ministack.ministack_environment(port, folders),
        directory / "ministack.log",
        directory,
    )
    try:
        eventually(lambda: ministack.answers(port))
        yield ministack.endpoint_url(port)
    finally:
        server.stop(grace_seconds=10)


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
