"""Local clouds: the real templates, handlers, workers and saga."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from tests.support.baseline import Baseline
from tests.support.deployed_code import code_path
from tests.support.pipeline import Pipeline
from tests.support.rights import asked

HERE = Path(__file__).parent
SETTLE_SECONDS = "2"
SHARED = pytest.StashKey["SharedCloud"]()


class SharedCloud:
    """One cloud for the modules of a process, one after the other, as new for each of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: RunningCloud | None = None

    def lend(self) -> RunningCloud:
        """Started when it is not up; as a new one when it is."""
        if self._running is None:
            self._running = new_cloud(self._directory)
            self._baseline = Baseline(Pipeline(self._running.environment()))
            return self._running
        try:
            self._baseline.restore()
        except AssertionError:
            self.end()
            raise
        return self._running

    def end(self) -> None:
        """The next module that wants one gets a new one."""
        if self._running is not None:
            self._running = None
            local_cloud.down(self._directory, keep=False)


def new_cloud(directory: Path) -> RunningCloud:
    return local_cloud.up(directory, port=0, settings={"SETTLE_SECONDS": SETTLE_SECONDS})


@pytest.fixture(scope="module", autouse=True)
def as_deployed() -> Iterator[None]:
    """What these tests start finds what images hold."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", code_path())
        yield


@pytest.fixture(scope="session")
def shared_cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedCloud]:
    shared = SharedCloud(tmp_path_factory.mktemp("cloud"))
    request.config.stash[SHARED] = shared
    yield shared
    shared.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """No cloud stands idle while tests run that want none."""
    yield
    if SHARED in item.config.stash and (nextitem is None or HERE not in nextitem.path.parents):
        item.config.stash[SHARED].end()


@pytest.fixture(scope="module")
def running_cloud(
    request: pytest.FixtureRequest, shared_cloud: SharedCloud
) -> Iterator[RunningCloud]:
    """As new and of one module alone, so that its tests may look at every KPI, and kill things."""
    failed_before = request.session.testsfailed
    running = shared_cloud.lend()
    _, denied_before = asked(running.port)
    yield running
    if request.session.testsfailed > failed_before:
        shared_cloud.end()
    elif not getattr(request.module, "DENIED_ON_PURPOSE", False):
        _, denied = asked(running.port)
        assert denied - denied_before == {}, "a role lacks a right in its template"


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """Of a module that leaves other code behind."""
    directory = tmp_path_factory.mktemp("own-cloud")
    yield new_cloud(directory)
    local_cloud.down(directory, keep=False)


@pytest.fixture
def pipeline(running_cloud: RunningCloud) -> Pipeline:
    return Pipeline(running_cloud.environment())
