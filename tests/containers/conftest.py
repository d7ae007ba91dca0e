"""One engine, both images and one cloud for all suites of this folder."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.containers.cloud import WorkerlessCloud, workerless_cloud
from tests.containers.engine import running_engine

if TYPE_CHECKING:
    from testcontainers.core.image import DockerImage


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """The engine that testcontainers finds; its settings are read when that is imported."""
    with running_engine() as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def images(engine: None) -> Iterator[Mapping[str, "DockerImage"]]:
    """By service; built side by side."""
    from tests.containers.workers import SERVICES, built_image

    with ThreadPoolExecutor(len(SERVICES)) as threads:
        built = dict(zip(SERVICES, threads.map(built_image, SERVICES), strict=True))
    yield built
    for image in built.values():
        image.remove()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerlessCloud]:
    with workerless_cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="session")
def dynamodb_local(
    images: Mapping[str, "DockerImage"], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A client of a DynamoDB Local without tables."""
    from tests.containers.dynamodb_local import built_dynamodb_local, running_dynamodb_local

    scratch = tmp_path_factory.mktemp("dynamodb-local")
    image = built_dynamodb_local(images["transformer"], scratch)
    with running_dynamodb_local(image) as client:
        yield client
    image.remove()
