"""For all tests: suites that need Spark or Docker, and one MiniStack for those that want it."""

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer

from services.runtime.observability.logs import about
from tests.support.botocore_models import share_models
from tests.support.examples import PROFILES
from tests.support.ministack import running_ministack
from tests.support.needs import NEEDS, announcement, is_ci, verdict
from tests.support.scheduling import SideBySide, longest_first

for profile, max_examples in PROFILES.items():
    settings.register_profile(profile, settings.default, deadline=None, max_examples=max_examples)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if is_ci(os.environ) else "dev")
)
"""No deadlines: an example that is slow on a loaded machine is no fault."""

os.environ.pop("COLUMNS", None)
"""Where suites run side by side, readline in the first process gives all others a width of 80."""

share_models()

LACKS = pytest.StashKey[dict[str, str]]()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SideBySide:
    """Whatever --dist says: fixtures of a file are made once."""
    return SideBySide(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who stands on an account of moto is medium; no long suite is left for the end."""
    for item in items:
        if "aws" in getattr(item, "fixturenames", ()):
            item.add_marker("medium")
    longest_first(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Modules and tests live as long as the process: no later collection looks at them again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or under CI fail, a marked test where the machine lacks what it needs."""
    for marker, lack_of in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        lack = lack_of()
        decided = verdict(lack, os.environ)
        if lack is None or decided == "run":
            continue
        item.config.stash.setdefault(LACKS, {})[marker] = lack
        if decided == "fail":
            pytest.fail(f"{announcement(marker, lack)}; with CI=true they must", pytrace=False)
        pytest.skip(lack)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test wrote or logged may hold lone surrogates, which pytest-xdist cannot send."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say loudly which suites were left out."""
    for marker, lack in config.stash.get(LACKS, {}).items():
        terminalreporter.write_line(announcement(marker, lack), red=True, bold=True)


@pytest.fixture(autouse=True)
def keys_of_log_lines() -> Iterator[None]:
    """Left as they were: services that share a process here mix them up when they take turns."""
    with about():
        yield


@pytest.fixture(scope="session")
def ministack_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MiniStack that runs as long as the tests do."""
    with running_ministack(tmp_path_factory.mktemp("ministack")) as environment:
        yield environment["AWS_ENDPOINT_URL"]
