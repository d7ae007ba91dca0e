"""Nobody relies on the order of a stream on the bus, for the relay keeps none.

DynamoDB keeps the order of an item's changes, and each event is an item of its own; with
ParallelizationFactor ten of them are relayed at once, and EventBridge and SQS standard queues keep
no order either. So whoever hears an event has a test that delivers its events in other orders.
"""

import pytest

from tests.contract.declared import PROJECT, Service

SHOWN_BY = {
    "aggregator": (
        "tests/unit/aggregator/test_any_order.py",
        "tests/simulation/network.py",  # its stream and its queues: each seed has other orders
    ),
    "api": ("tests/unit/api/test_views.py", "tests/unit/api/test_anomalies.py"),
    "guard": ("tests/unit/guard/test_messages.py",),
    "lineage": ("tests/unit/lineage/test_any_order.py",),
}
"""By service that consumes events of ours: where they come in other orders."""
SERVICES = sorted(one.parent.name for one in (PROJECT / "services").glob("*/service.yaml"))


def hears_events(name: str) -> bool:
    return bool(Service(PROJECT / "services" / name).types("consumes", "events"))


def test_every_service_that_hears_events_is_shown_them_in_other_orders() -> None:
    assert set(SHOWN_BY) == {name for name in SERVICES if hears_events(name)}


@pytest.mark.parametrize("path", [path for paths in SHOWN_BY.values() for path in paths])
def test_other_orders_are_drawn_there(path: str) -> None:
    text = (PROJECT / path).read_text()
    assert "permutations" in text or "chaos.below" in text


def test_the_relay_may_take_ten_events_of_a_stream_at_once() -> None:
    """Who changes this to keep the order knows that nobody needs it."""
    template = Service(PROJECT / "services/relay").template
    [mapping] = template.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["ParallelizationFactor"] == 10
