import pytest

from tests.unit.aggregator.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
