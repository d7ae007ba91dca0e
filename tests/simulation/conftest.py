"""A MiniStack of this suite's own, with the tables of the lock."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from infra.local import ministack
from infra.local.folders import Folders
from infra.local.processes import ChildProcess
from tests.simulation.lock_clients import EVENTS, LOCKS
from tests.support.pipeline import eventually

CONNECTIONS = 64


@pytest.fixture(scope="session")
def lock_dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A DynamoDB client of a MiniStack that runs as long as the tests do."""
    directory = tmp_path_factory.mktemp("ministack")
    folders = Folders(directory)
    folders.start_afresh()
    port = ministack.claim_port(0)
    server = ChildProcess(
        ministack.COMMAND,
        ministack.ministack_environment(port, folders),
        directory / "ministack.log",
        directory,
    )
    try:
        eventually(lambda: ministack.answers(port))
        client = boto3.client(
            "dynamodb",
            endpoint_url=ministack.endpoint_url(port),
            region_name=LOCAL_REGION,
            aws_access_key_id=LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=LOCAL_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(max_pool_connections=CONNECTIONS),
        )
        for table, keys in (
            (EVENTS, {"stream_id": "S", "stream_version": "N"}),
            (LOCKS, {"LockId": "S"}),
        ):
            client.create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": kind} for name, kind in keys.items()
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        yield client
    finally:
        server.stop(grace_seconds=10)
