"""Between reading a file and writing what came of it, the validator asks if its turn is over."""

from typing import Any

import pytest

from contracts.errors import StaleWriter
from tests.support.shop import an_order, orders_csv
from tests.unit.validator.harness import ValidatorHarness

ROWS = [an_order(order_id=str(number)) for number in range(9)]


def test_a_writer_that_was_overtaken_while_it_read_writes_nothing() -> None:
    """Its rows would stand under the keys that the newer report pins."""
    harness = ValidatorHarness()
    harness.upload("orders/a.csv", orders_csv(*ROWS, an_order(total_amount="-1")))
    bucket, opened = harness.bucket, harness.bucket.open
    written: list[set[tuple[str, str]]] = []

    def slow(name: str, file: Any) -> Any:
        bucket.open = opened  # type: ignore[method-assign]
        assert harness.validate(fence=9)["outcome"] == "VALIDATED"
        written.append(set(bucket.versions))
        return opened(name, file)

    bucket.open = slow  # type: ignore[method-assign]
    with pytest.raises(StaleWriter, match="7 is stale"):
        harness.validate(fence=7)
    assert written == [set(bucket.versions)]
