"""From the store's stream to the bus: what was appended goes out, and nothing is passed over."""

from typing import Any

import pytest

from contracts import relay as relay_module
from contracts.envelope import parse
from contracts.event_store.dynamodb import to_item
from contracts.relay import relay
from tests.contract.builders import an_envelope

BUS = "ecommerce-pipeline"


def a_record(version: int, event_name: str = "INSERT") -> dict[str, Any]:
    """A stream record of the event at that version; its sequence number is `s<version>`."""
    message = parse(an_envelope("BatchCompleted", stream_version=version))
    images = {"NewImage": to_item(message)} if event_name != "REMOVE" else {}
    return {"eventName": event_name, "dynamodb": {"SequenceNumber": f"s{version}"} | images}


class FakeBus:
    """EventBridge that refuses the entries whose stream version is in `refused`."""

    def __init__(self, *refused: int) -> None:
        self._refused = refused
        self.calls: list[list[dict[str, Any]]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Entries)
        results = [
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            if parse(entry["Detail"]).stream_version in self._refused
            else {"EventId": "e"}
            for entry in Entries
        ]
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    @property
    def versions(self) -> list[int]:
        return [parse(entry["Detail"]).stream_version for call in self.calls for entry in call]


def test_an_event_goes_out_whole_under_its_type_and_source() -> None:
    bus = FakeBus()
    assert relay([a_record(1)], bus, BUS) == {"batchItemFailures": []}
    [[entry]] = bus.calls
    assert entry["EventBusName"] == BUS
    assert entry["DetailType"] == "BatchCompleted"
    assert entry["Source"] == "ecommerce-pipeline/test"
    assert parse(entry["Detail"]) == parse(an_envelope("BatchCompleted", stream_version=1))


def test_events_go_out_in_order_ten_at_a_time() -> None:
    bus = FakeBus()
    relay([a_record(version) for version in range(1, 24)], bus, BUS)
    assert bus.versions == list(range(1, 24))
    assert [len(call) for call in bus.calls] == [10, 10, 3]


def test_only_what_was_appended_goes_out() -> None:
    bus = FakeBus()
    records = [a_record(1, "MODIFY"), a_record(2), a_record(3, "REMOVE")]
    assert relay(records, bus, BUS) == {"batchItemFailures": []}
    assert bus.versions == [2]


def test_nothing_to_relay_does_not_call_the_bus() -> None:
    bus = FakeBus()
    assert relay([a_record(1, "REMOVE")], bus, BUS) == {"batchItemFailures": []}
    assert bus.calls == []


@pytest.mark.parametrize(("refused", "reported"), [((1,), "s1"), ((5, 7), "s5"), ((10,), "s10")])
def test_the_stream_comes_again_from_the_first_entry_that_failed(
    refused: tuple[int, ...], reported: str
) -> None:
    records = [a_record(version) for version in range(1, 11)]
    answer = relay(records, FakeBus(*refused), BUS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": reported}]}


def test_nothing_is_sent_past_a_chunk_with_a_failure() -> None:
    bus = FakeBus(13)
    answer = relay([a_record(version) for version in range(1, 31)], bus, BUS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "s13"}]}
    assert max(bus.versions) == 20


def test_a_bus_that_is_away_makes_the_whole_batch_come_again() -> None:
    class AwayBus:
        def put_events(self, **_request: Any) -> None:
            raise ConnectionError("away")

    with pytest.raises(ConnectionError):
        relay([a_record(1)], AwayBus(), BUS)


def test_the_lambda_relays_to_the_bus_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = FakeBus()
    monkeypatch.setenv("EVENT_BUS_NAME", "the-bus")
    monkeypatch.setattr(relay_module, "client", lambda _name: bus)
    relay_module.settings.cache_clear()
    relay_module.handler({"Records": [a_record(1)]}, None)
    relay_module.settings.cache_clear()
    assert bus.calls[0][0]["EventBusName"] == "the-bus"


def test_an_answer_that_is_shorter_than_what_was_sent_makes_the_batch_come_again() -> None:
    """Nobody can say which of the entries it is silent about."""

    class TerseBus:
        def put_events(self, **_request: Any) -> dict[str, Any]:
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}

    with pytest.raises(ValueError, match="zip"):
        relay([a_record(1), a_record(2)], TerseBus(), BUS)


def test_the_lambda_asks_for_the_client_of_event_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    bus = FakeBus()
    monkeypatch.setenv("EVENT_BUS_NAME", "the-bus")
    monkeypatch.setattr(relay_module, "client", lambda name: asked.append(name) or bus)
    relay_module.settings.cache_clear()
    relay_module.handler({"Records": []}, None)
    relay_module.settings.cache_clear()
    assert asked == ["events"]
