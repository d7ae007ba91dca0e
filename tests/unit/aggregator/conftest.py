import pytest

from tests.unit.aggregator.harness import BatchHarness


@pytest.fixture
def harness() -> BatchHarness:
    return BatchHarness()
