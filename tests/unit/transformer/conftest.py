"""A MiniStack with the transformer's buckets, for what a double cannot show: Glue, S3 and Spark."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from infra.environments import LOCAL_CREDENTIALS, LOCAL_REGION
from services.transformer.engines.port import EngineName
from tests.support.shared_databases import share_databases
from tests.support.transformer_cloud import make_buckets, make_stores, workbench_on
from tests.support.transforming import Workbench

share_databases()
_numbers = itertools.count(1)
QUICK_JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
"""Code that runs once or twice is compiled quickly, not well, and stays compiled."""
NewStores = Callable[[], Callable[[EngineName], Workbench]]


@pytest.fixture(scope="package")
def cloud(ministack_endpoint: str) -> Iterator[str]:
    """Its address; the process's AWS settings, all that pyarrow and Spark read, say it too."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        for name, value in LOCAL_CREDENTIALS.items():
            environment.setenv(name, value)
        environment.setenv("AWS_ENDPOINT_URL", ministack_endpoint)
        environment.setenv("AWS_DEFAULT_REGION", LOCAL_REGION)
        environment.setenv("AWS_REGION", LOCAL_REGION)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.setenv("JAVA_TOOL_OPTIONS", QUICK_JAVA)
        make_buckets()
        yield ministack_endpoint


@pytest.fixture
def new_stores(cloud: str) -> NewStores:
    """Makes empty stores; what it gives makes processes, by engine, that share them."""

    def make() -> Callable[[EngineName], Workbench]:
        name = f"facts{next(_numbers)}"
        make_stores(name)
        return lambda engine: workbench_on(cloud, name, engine)

    return make
