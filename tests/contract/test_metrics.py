"""What alarms, the dashboard and the docs say of our metrics, against what the code really writes.

The sample is made by running the real paths: every event through the relay, messages through the
consumer, and both sweeps, with the environment that each template gives.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import new_event_id
from contracts.envelope import parse
from contracts.schemas import find
from services.relay.handler import relay
from services.runtime.event_store.dynamodb import to_item
from services.runtime.observability.logs import SERVICE
from services.runtime.observability.metrics import NAMESPACE, Metric
from services.transformer.facts.compaction import RATIO
from services.transformer.maintenance.compaction import BetweenBatches
from tests.contract.builders import a_body, an_envelope
from tests.contract.declared import PROJECT, STAGE, Template, services, templates
from tests.support.emf import Sample, samples_in
from tests.support.transforming import a_batch, local_workbench, order
from tests.unit.aggregator.harness import BUCKET, EVENTS, BatchHarness
from tests.unit.lock.test_lock_messages import LockHarness

OURS = "EcommercePipeline"
Identity = tuple[str, str, frozenset[tuple[str, str]]]


def dashboard_text() -> str:
    """With the names that there are without a stage."""
    return (PROJECT / "infra/stacks/dashboard.yaml").read_text().replace(STAGE, "")


def environment_of(template: Template) -> dict[str, str]:
    """The plain values of the environment that the template's function or container has."""
    functions = template.of_type("AWS::Lambda::Function").values()
    found = {
        name: value for one in functions for name, value in one["Environment"]["Variables"].items()
    }
    for task in template.of_type("AWS::ECS::TaskDefinition").values():
        for container in task["ContainerDefinitions"]:
            found |= {one["Name"]: one["Value"] for one in container["Environment"]}
    return {name: value for name, value in found.items() if isinstance(value, str)}


RUNNING = {
    environment_of(template)[SERVICE]: template
    for template in templates()
    if SERVICE in environment_of(template)
}


@contextmanager
def process_of(service: str) -> Iterator[None]:
    """A process of that service, as far as its environment goes."""
    with pytest.MonkeyPatch.context() as environment:
        for name in (SERVICE, NAMESPACE):
            environment.setenv(name, environment_of(RUNNING[service])[name])
        yield


def every_event() -> list[dict[str, Any]]:
    """Each event of each service, once for each value of the fields that become dimensions."""
    found = []
    for service in services():
        for event_type in sorted(service.types("emits", "events")):
            schema = find("events", event_type, 1).document
            for example in schema["examples"]:
                varied = [example]
                for field in ("engine", "reason"):
                    choices = schema["properties"].get(field, {}).get("enum", [])
                    varied += [example | {field: choice} for choice in choices]
                found += [
                    an_envelope(event_type, source=f"ecommerce-pipeline/{service.name}", data=data)
                    for data in varied
                ]
    return found


class Bus:
    def __init__(self, refuses: bool) -> None:
        self._refuses = refuses

    def put_events(self, Entries: list[Any]) -> dict[str, Any]:
        result = {"ErrorCode": "Throttling"} if self._refuses else {}
        return {"FailedEntryCount": len(result), "Entries": [result for _ in Entries]}


def relay_everything() -> None:
    with process_of("relay"):
        for number, event in enumerate(every_event()):
            image = {"NewImage": to_item(parse(event)), "SequenceNumber": str(number)}
            records = [{"eventName": "INSERT", "dynamodb": image}]
            relay(records, Bus(refuses=False), "bus")
        relay(records, Bus(refuses=True), "bus")


def use_the_lock() -> None:
    with process_of("lock"):
        harness = LockHarness()
        harness.acquire("a")
        harness.acquire("b")
        harness.now += timedelta(seconds=100)
        harness.sweep()
        harness.service.handle("not json", "lock-commands")
        harness.service.handle(a_body("BreakLock", data={}), "lock-commands")
        harness.break_it(1, lock_id="another")  # nobody waits for the answer: the fault is raised


def use_the_aggregator() -> None:
    with process_of("aggregator"):
        harness = BatchHarness()
        harness.upload("orders/a.csv")
        harness.wait(50)
        assert harness.deliver(EVENTS, json.dumps({"sweep": BUCKET})) == []


def use_the_transformer(folder: Path) -> None:
    """Small batches, and the turn between them that makes their files one."""
    with process_of("transformer"):
        bench = local_workbench(folder)
        for number in range(RATIO):
            bench.transform(a_batch([order(str(number))]))
        BetweenBatches(bench.ports, lambda: False, new_event_id)()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    output = io.StringIO()
    with redirect_stdout(output):
        use_the_transformer(tmp_path_factory.mktemp("facts"))
        relay_everything()
        use_the_lock()
        use_the_aggregator()
    return samples_in(output.getvalue())


@pytest.fixture(scope="module")
def identities(written: list[Sample]) -> set[Identity]:
    return {sample.identity for sample in written}


def identity(namespace: str, name: str, dimensions: Mapping[str, str]) -> Identity:
    return namespace, name, frozenset(dimensions.items())


def alarm_metrics() -> list[tuple[str, Identity]]:
    """Every alarm on a metric of ours, also one inside an expression."""
    found = []
    for template in templates():
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
            parts = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", [])
                     if "MetricStat" in one]  # fmt: skip
            for metric in parts or [alarm]:
                if metric["Namespace"].startswith("AWS/"):
                    continue
                dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
                found.append(
                    (alarm["AlarmName"],
                     identity(metric["Namespace"], metric["MetricName"], dimensions))
                )  # fmt: skip
    return found


def dashboard_metrics() -> Iterator[Identity]:
    text = dashboard_text().split("DashboardBody: !Sub |\n")[1]
    for widget in json.loads(text)["widgets"]:
        for line in widget["properties"].get("metrics", []):
            words = [word for word in line if isinstance(word, str)]
            if words and words[0] == OURS:
                namespace, name, *pairs = words
                yield identity(namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True)))


def test_every_alarm_of_ours_looks_at_a_metric_that_is_written(identities: set[Identity]) -> None:
    looked_at = alarm_metrics()
    assert len(looked_at) >= 6
    assert [(name, metric) for name, metric in looked_at if metric not in identities] == []


def test_every_line_of_the_dashboard_is_a_metric_that_is_written(
    identities: set[Identity],
) -> None:
    shown = set(dashboard_metrics())
    assert len(shown) > 20
    assert shown - identities == set()


def test_every_search_of_the_dashboard_finds_a_metric(identities: set[Identity]) -> None:
    text = dashboard_text().replace('\\"', '"')
    searches = re.findall(r"SEARCH\('\{(\w+),([\w,]+)\} MetricName=\"?\\?\"?(\w+)", text)
    assert len(searches) == 3
    for namespace, dimensions, name in searches:
        by = set(dimensions.split(","))
        assert any(
            (namespace, name) == (one[0], one[1]) and by == {pair[0] for pair in one[2]}
            for one in identities
        ), name


def test_every_metric_is_written_by_somebody_with_its_unit_and_dimensions(
    written: list[Sample],
) -> None:
    assert {sample.name for sample in written} == {metric.label for metric in Metric}
    by_name = {metric.label: metric for metric in Metric}
    for sample in written:
        metric = by_name[sample.name]
        assert sample.unit == metric.unit, sample.name
        assert set(sample.dimensions) == {"service", *metric.dimensions}, sample.name
        assert sample.namespace == OURS


def test_everything_that_runs_says_its_name_and_is_measured() -> None:
    assert set(RUNNING) == {"relay", *(service.name for service in services())}
    assert {environment_of(template)[NAMESPACE] for template in RUNNING.values()} == {OURS}
    for service in services():
        assert environment_of(service.template)[SERVICE] == service.name


def test_what_no_queue_can_take_is_counted_whichever_it_came_by() -> None:
    output = io.StringIO()
    lock, aggregator = LockHarness(), BatchHarness()
    with redirect_stdout(output):
        with process_of("lock"):
            for queue in ("lock-commands", "lock-events"):
                lock.service.handle("not json", queue)
        with process_of("aggregator"):
            for queue in ("aggregator-files", "aggregator-commands", "aggregator-events"):
                assert aggregator.deliver(queue, "not json") == []
    refused = [one for one in samples_in(output.getvalue()) if one.name == "MessagesRefused"]
    assert [one.dimensions["service"] for one in refused] == ["lock"] * 2 + ["aggregator"] * 3
    assert len(lock.dead_letters.letters) == 2
    assert len(aggregator.dead_letters.letters) == 3


def test_the_sweeps_say_how_long_something_waits(written: list[Sample]) -> None:
    said = {sample.name: sample.values for sample in written}
    assert said["LockHeldSeconds"] == (100.0,)
    assert said["LockWaiters"] == (1.0,)
    assert said["OpenSetAgeSeconds"] == (51.0,) or said["OpenSetAgeSeconds"] == (50.0,)
    assert said["OpenSetFiles"] == (1.0,)


def test_a_look_between_batches_says_how_many_files_a_day_has(written: list[Sample]) -> None:
    """Of one day and the index, before the turn and after it."""
    said = {
        name: [value for sample in written if sample.name == name for value in sample.values]
        for name in ("FilesPerDayMax", "FilesPerDayP95", "IndexFiles", "WastedRows")
    }
    assert said["FilesPerDayMax"] == said["FilesPerDayP95"] == said["IndexFiles"] == [RATIO, 1]
    assert said["WastedRows"] == [2 * RATIO, 0]
    assert [s.values for s in written if s.name == "RowsCompacted"] == [(2 * RATIO,)]


def test_the_docs_list_every_metric() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \|([^|]*)\|",
        (PROJECT / "docs/watching.md").read_text(),
        re.MULTILINE,
    )
    documented = {name: (unit, tuple(re.findall(r"`(\w+)`", by))) for name, unit, by in rows}
    assert documented == {one.label: (one.unit, one.dimensions) for one in Metric}
