"""A local cloud for each module: the real templates, handlers, workers and saga."""

from collections.abc import Iterator

import pytest

from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from tests.support.pipeline import Pipeline

SETTLE_SECONDS = "2"


@pytest.fixture(scope="module")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Of one module alone, so that its tests may look at every KPI, and kill things."""
    directory = tmp_path_factory.mktemp("cloud")
    running = local_cloud.up(directory, port=0, settings={"SETTLE_SECONDS": SETTLE_SECONDS})
    yield running
    local_cloud.down(directory, keep=False)


@pytest.fixture
def pipeline(running_cloud: RunningCloud) -> Pipeline:
    return Pipeline(running_cloud.environment())
