"""A pytest plugin of the mutation run: fast tests first, and the same examples each time."""

import gc
import json
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile(
    "mutation", deadline=None, derandomize=True, database=None, max_examples=30
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """After the project's own profile was loaded, before the tests are imported."""
    settings.load_profile("mutation")
    gc.freeze()


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """The first test that fails ends a run, so the cheap ones go first."""
    stats = Path("mutmut-stats.json")
    if stats.exists():
        seconds = json.loads(stats.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))
