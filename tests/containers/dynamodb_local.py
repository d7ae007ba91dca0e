"""DynamoDB Local, Amazon's own engine, in a container that only loopback reaches."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from tests.simulation.lock_clients import CONNECTIONS
from tests.support.pipeline import eventually

FOLDER = Path(__file__).parent
CONTEXT = ("dynamodb_local.Dockerfile", "fetch_dynamodb_local.py")
PORT = 8000


def built_dynamodb_local(transformer: DockerImage, scratch: Path) -> DockerImage:
    """Build it on the transformer's image, which has Java and a way to fetch from Maven."""
    for name in CONTEXT:
        shutil.copy(FOLDER / name, scratch)
    return DockerImage(
        path=scratch,
        tag="ecp-dynamodb-local",
        dockerfile_path=CONTEXT[0],
        network_mode="host",
        rm=True,
        buildargs={"TRANSFORMER": str(transformer)},
    ).build()


@contextmanager
def running_dynamodb_local(image: DockerImage) -> Iterator[Any]:
    """Gives a client for up to 64 threads."""
    container = DockerContainer(str(image))
    # The class knows port numbers only; the engine also takes the address to publish on.
    container.ports[f"{PORT}/tcp"] = ("127.0.0.1", None)  # type: ignore[assignment]
    with container:
        client = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{container.get_exposed_port(PORT)}",
            region_name=LOCAL_REGION,
            aws_access_key_id=LOCAL_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=LOCAL_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(max_pool_connections=CONNECTIONS, retries={"max_attempts": 2}),
        )
        eventually(lambda: _answers(client))
        yield client


def _answers(client: Any) -> bool:
    """The published port takes connections before the engine behind it listens."""
    try:
        client.list_tables()
    except BotoCoreError:
        return False
    return True
