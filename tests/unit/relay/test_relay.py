"""From the store's stream to the bus: what was appended goes out, and nothing is passed over."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.envelope import parse
from services.relay import handler as relay_module
from services.relay.handler import relay
from services.runtime.event_store.dynamodb import to_item
from tests.contract.builders import an_envelope, an_example

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


def a_large_record(version: int, characters: int) -> dict[str, Any]:
    """An event of about so many bytes, two for each character."""
    data = {**an_example("BatchFailed"), "reason": "é" * characters}
    message = parse(an_envelope("BatchFailed", stream_version=version, data=data))
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": f"s{version}", "NewImage": to_item(message)},
    }


def test_no_call_holds_more_bytes_than_the_bus_takes() -> None:
    bus = FakeBus()
    records = [a_large_record(version, 45_000) for version in range(1, 8)]
    records += [a_record(version) for version in range(8, 21)]
    assert relay(records, bus, BUS) == {"batchItemFailures": []}
    assert bus.versions == list(range(1, 21))
    sizes = [sum(map(relay_module.entry_bytes, call)) for call in bus.calls]
    assert max(sizes) <= relay_module.MAX_REQUEST_BYTES
    assert [len(call) for call in bus.calls] == [2, 2, 2, 10, 4]


@pytest.mark.parametrize(("over", "calls"), [(0, [2]), (1, [1, 1])])
def test_a_request_is_cut_at_the_byte(over: int, calls: list[int]) -> None:
    """Two entries of 262,144 bytes together fit into one request, one more byte makes it two."""
    first = a_large_record(1, 60_000)
    one = FakeBus()
    relay([first], one, BUS)
    left = relay_module.MAX_REQUEST_BYTES - counted(one.calls[0])
    bare = FakeBus()
    relay([a_record_of_reason(2, "x")], bare, BUS)
    second = a_record_of_reason(2, "x" * (1 + left - counted(bare.calls[0]) + over))
    bus = FakeBus()
    assert relay([first, second], bus, BUS) == {"batchItemFailures": []}
    assert [len(call) for call in bus.calls] == calls
    assert sum(map(counted, bus.calls)) == 262_144 + over


def counted(entries: list[dict[str, Any]]) -> int:
    """As AWS does (EventBridge user guide, Calculating Amazon EventBridge event entry size).

    14 for a Time, which ours have none of, then Source, DetailType, Detail and each resource.
    """
    size = 0
    for entry in entries:
        size += 14 if "Time" in entry else 0
        for part in ("Source", "DetailType", "Detail"):
            size += len(entry.get(part, "").encode("utf-8"))
        size += sum(len(one.encode("utf-8")) for one in entry.get("Resources", ()))
    return size


def a_record_of_reason(version: int, reason: str) -> dict[str, Any]:
    data = {**an_example("BatchFailed"), "reason": reason}
    message = parse(an_envelope("BatchFailed", stream_version=version, data=data))
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": f"s{version}", "NewImage": to_item(message)},
    }


def test_the_largest_event_that_there_may_be_goes_out_alone() -> None:
    bus = FakeBus()
    records = [a_record(1), a_large_record(2, 99_500), a_large_record(3, 99_500)]
    assert relay(records, bus, BUS) == {"batchItemFailures": []}
    assert [len(call) for call in bus.calls] == [2, 1]


@pytest.mark.parametrize(
    "poison",
    [
        {},
        {"stream_id": {"S": "x"}, "stream_version": {"N": "1"}},
        {**a_record(5)["dynamodb"]["NewImage"], "data": {"S": "[" * 3000}},
        {**a_record(5)["dynamodb"]["NewImage"], "data": {"S": "not json"}},
        {**a_record(5)["dynamodb"]["NewImage"], "data": {"N": "7"}},
        {**a_record(5)["dynamodb"]["NewImage"], "event_type": {"S": "NeverHeardOf"}},
        {**a_record(5)["dynamodb"]["NewImage"], "stream_version": {"S": "five"}},
    ],
    ids=["empty", "by hand", "deep", "no json", "a number", "newer", "no version"],
)
def test_what_is_no_event_holds_up_nothing_that_came_before_it(poison: dict[str, Any]) -> None:
    """It alone comes again, until its place is a dead letter."""
    bus = FakeBus()
    records = [a_record(version) for version in range(1, 9)]
    records[4] = {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": "s5", "NewImage": poison},
    }
    assert relay(records, bus, BUS) == {"batchItemFailures": [{"itemIdentifier": "s5"}]}
    assert bus.versions == [1, 2, 3, 4]


def test_a_refusal_before_what_is_no_event_is_the_place_to_go_on_from() -> None:
    records = [a_record(version) for version in range(1, 5)]
    records.append({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "s5", "NewImage": {}}})
    answer = relay(records, FakeBus(3), BUS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "s3"}]}


def test_a_field_that_is_newer_than_the_relay_goes_out_too() -> None:
    record, bus = a_record(1), FakeBus()
    image = record["dynamodb"]["NewImage"]
    data = json.loads(image["data"]["S"]) | {"newer": {"a": 1}}
    record["dynamodb"]["NewImage"] = {**image, "data": {"S": json.dumps(data)}}
    relay([record], bus, BUS)
    assert json.loads(bus.calls[0][0]["Detail"])["data"]["newer"] == {"a": 1}


def test_the_template_lets_nothing_block_the_stream_for_ever() -> None:
    """Bisected to the one record, tried so often, then its place is a dead letter."""
    template = Path(__file__).parents[3].joinpath("services/relay/template.yaml").read_text()
    mapping = template.partition("Type: AWS::Lambda::EventSourceMapping")[2].partition("\n\n")[0]
    for line in (
        "FunctionResponseTypes: [ReportBatchItemFailures]",
        "BisectBatchOnFunctionError: true",
        "MaximumRetryAttempts: 20",
        "OnFailure: {Destination: !GetAtt DeadLetterQueue.Arn}",
        "StartingPosition: TRIM_HORIZON",
    ):
        assert line in mapping


def test_each_event_is_measured_for_the_service_whose_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the relay itself, once for the batch of records: what went out, what was refused."""
    written: list[tuple[Any, ...]] = []
    monkeypatch.setattr(relay_module.metrics, "write", lambda *given: written.append(given))
    relay([a_record(1), a_record(2)], FakeBus(2), BUS)
    [(service, _, keys), (itself, _, nothing)] = written
    assert service == "test"
    assert keys
    assert (itself, nothing) == (relay_module.this_service(), {})


def test_an_event_of_no_batch_says_so_on_the_bus() -> None:
    """The store keeps no attribute for it; consumers read an envelope that has it."""
    message = parse(an_envelope("LockReleased", stream_version=1, correlation_id=None))
    image = {"SequenceNumber": "s1", "NewImage": to_item(message)}
    bus = FakeBus()
    relay([{"eventName": "INSERT", "dynamodb": image}], bus, BUS)
    [[entry]] = bus.calls
    detail = json.loads(entry["Detail"])
    assert (detail["correlation_id"], detail["causation_id"]) == (None, None)
