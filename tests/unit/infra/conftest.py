"""A moto account for adapters and commands."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.moto_account import moto_account


@pytest.fixture
def aws() -> Iterator[Any]:
    """Clients of an empty account, one a service: `aws("s3")`."""
    with moto_account() as client_of:
        yield client_of
