"""Alarms on our metrics, from what happens to whether they ring, minute by minute.

The services run on doubles and write their metrics. A plain model computes an alarm's state of them
as CloudWatch documents it: a statistic per period, periods in a row, what missing data means.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from typing import Any

import pytest

from contracts.envelope import parse
from services.runtime.observability import metrics
from services.runtime.observability.event_metrics import metrics_of
from tests.contract.builders import an_envelope, an_example
from tests.contract.declared import templates
from tests.contract.test_metrics import process_of
from tests.support.emf import Sample, samples_in
from tests.unit.aggregator.harness import BUCKET, EVENTS, BatchHarness
from tests.unit.lock.test_lock_messages import LockHarness

MINUTES_AN_HOUR = 60


class Watched:
    """What was written, minute by minute, and what an alarm makes of the latest."""

    def __init__(self) -> None:
        self.minutes: list[list[Sample]] = []

    @contextmanager
    def minute(self, service: str) -> Iterator[None]:
        """The process of a service writes inside, in a minute of its own."""
        output = io.StringIO()
        with process_of(service), redirect_stdout(output):
            yield
        self.minutes.append(samples_in(output.getvalue()))

    def state(self, name: str) -> str:
        """OK, ALARM or INSUFFICIENT_DATA now."""
        alarm, parameters = declared(name)
        parts = alarm.get("Metrics") or [{"MetricStat": {
            "Metric": alarm, "Period": alarm["Period"], "Stat": alarm["Statistic"],
        }}]  # fmt: skip
        period = next(one["MetricStat"]["Period"] for one in parts if "MetricStat" in one) // 60
        verdicts = []
        for back in range(alarm["EvaluationPeriods"]):
            until = len(self.minutes) - back * period
            value = self._value(parts, max(until - period, 0), max(until, 0), parameters)
            verdicts.append(verdict(alarm, value, parameters))
        if None in verdicts:
            return "INSUFFICIENT_DATA"
        return "ALARM" if all(verdicts) else "OK"

    def _value(
        self, parts: list[dict[str, Any]], start: int, end: int, parameters: dict[str, float]
    ) -> float | None:
        values = {
            one.get("Id", ""): self._statistic(one["MetricStat"], start, end)
            for one in parts
            if "MetricStat" in one
        }
        expressions = [one["Expression"] for one in parts if "Expression" in one]
        if not expressions:
            return values[""]
        if None in values.values():
            return None
        return computed(expressions[0], {**values, **parameters})

    def _statistic(self, stat: dict[str, Any], start: int, end: int) -> float | None:
        metric = stat["Metric"]
        dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
        found = [
            value
            for minute in self.minutes[start:end]
            for sample in minute
            if (sample.namespace, sample.name) == (metric["Namespace"], metric["MetricName"])
            and sample.dimensions == dimensions
            for value in sample.values
        ]
        if not found:
            return None
        computed_by = {"Maximum": max, "Sum": sum, "SampleCount": len}
        return float(computed_by[stat["Stat"]](found))


@cache
def declared(name: str) -> tuple[dict[str, Any], dict[str, float]]:
    """An alarm's properties, and the numbers among the defaults of its stack's parameters."""
    for template in templates():
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values():
            if alarm["AlarmName"] == name:
                parameters = template.document["Parameters"]
                return alarm, {
                    key: one["Default"]
                    for key, one in parameters.items()
                    if isinstance(one.get("Default"), int | float)
                }
    raise AssertionError(f"there is no alarm {name}")


def verdict(
    alarm: dict[str, Any], value: float | None, parameters: dict[str, float]
) -> bool | None:
    """Whether a period breaches; None when nobody knows."""
    if value is None:
        return {"notBreaching": False, "breaching": True, "missing": None}[
            alarm["TreatMissingData"]
        ]
    given = alarm["Threshold"]
    threshold = parameters[given["Ref"]] if isinstance(given, dict) else given
    return {
        "GreaterThanThreshold": value > threshold,
        "LessThanThreshold": value < threshold,
    }[alarm["ComparisonOperator"]]


def computed(expression: dict[str, str], values: dict[str, float]) -> float:
    """The one form of metric math that is used: IF(a >= b, 100 * c / d, 0)."""
    form = r"IF\((\w+) >= \$\{(\w+)\}, 100 \* (\w+) / (\w+), 0\)"
    match = re.fullmatch(form, expression["Fn::Sub"])
    assert match, expression
    a, b, c, d = (values[name] for name in match.groups())
    return 100 * c / d if a >= b else 0.0


def test_a_lock_that_is_held_for_two_hours_rings_until_it_is_free() -> None:
    watched, harness = Watched(), LockHarness()
    harness.acquire("a")
    rang_after = None
    for minute in range(1, 130):
        harness.wait_a_minute()
        with watched.minute("lock"):
            harness.sweep()
        if rang_after is None and watched.state("lock-is-held-too-long") == "ALARM":
            rang_after = minute
    assert rang_after == 122
    harness.release("a", 1)
    with watched.minute("lock"):
        harness.sweep()
    assert watched.state("lock-is-held-too-long") == "OK"


def test_one_holder_after_the_other_is_nothing_to_ring_for() -> None:
    watched, harness = Watched(), LockHarness()
    for number in range(4):
        harness.acquire(f"holder-{number}")
        for _ in range(MINUTES_AN_HOUR):
            harness.wait_a_minute()
            with watched.minute("lock"):
                harness.sweep()
            assert watched.state("lock-is-held-too-long") == "OK"
        harness.release(f"holder-{number}", harness.item()["execution_metadata"]["fence"])


def test_files_that_wait_for_four_hours_ring_until_the_set_is_whole() -> None:
    watched, harness = Watched(), BatchHarness()
    harness.upload("orders/a.csv", "products/a.csv")
    rang_after = None
    for minute in range(1, 4 * MINUTES_AN_HOUR + 10):
        harness.wait(60)
        with watched.minute("aggregator"):
            sweep(harness)
        if rang_after is None and watched.state("open-set-is-overdue") == "ALARM":
            rang_after = minute
    assert rang_after is not None
    assert 240 <= rang_after <= 243
    harness.upload("order_items/a.csv")
    harness.settle()
    for _ in range(2):
        with watched.minute("aggregator"):
            sweep(harness)
    assert watched.state("open-set-is-overdue") == "OK"


def sweep(harness: BatchHarness) -> None:
    assert harness.deliver(EVENTS, f'{{"sweep": "{BUCKET}"}}') == []


@pytest.mark.parametrize("service", ["lock", "aggregator"])
def test_a_sweep_that_stops_is_noticed_and_one_that_goes_on_never_rings(service: str) -> None:
    watched, alarm = Watched(), f"{service}-sweep-is-silent"
    lock, aggregator = LockHarness(), BatchHarness()
    assert watched.state(alarm) == "INSUFFICIENT_DATA"  # a new stack: no transition, nobody is told
    for _ in range(10):
        with watched.minute(service):
            if service == "lock":
                lock.sweep()
            else:
                sweep(aggregator)
        assert watched.state(alarm) == "OK"
    watched.minutes += [[]] * 4
    assert watched.state(alarm) == "OK"
    watched.minutes.append([])
    assert watched.state(alarm) == "INSUFFICIENT_DATA"
    declaration, _ = declared(alarm)
    assert declaration["InsufficientDataActions"] == declaration["AlarmActions"]


def validate(watched: Watched, rows: int, quarantined: int) -> None:
    data = an_example(
        "FileValidated", rows_in=rows, accepted=rows - quarantined, quarantined=quarantined
    )
    event = parse(an_envelope("FileValidated", data=data))
    with watched.minute("relay"):
        metrics.write("validator", metrics_of(event), {})


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ([(1000, 0)], "OK"),
        ([(1000, 50)], "OK"),
        ([(1000, 51)], "ALARM"),
        ([(1000, 0), (1000, 90)], "OK"),
        ([(1000, 0), (1000, 101)], "ALARM"),
        ([(10, 5)], "OK"),
        ([(60, 3), (60, 5)], "ALARM"),
        ([], "OK"),
    ],
    ids=["clean", "5 %", "over", "few of many", "many of many", "too few rows", "two files",
         "no files"],
)  # fmt: skip
def test_the_share_of_quarantined_rows_rings_over_5_percent(
    files: list[tuple[int, int]], state: str
) -> None:
    watched = Watched()
    for rows, quarantined in files:
        validate(watched, rows, quarantined)
    assert watched.state("quarantine-rate-is-up") == state
    watched.minutes += [[]] * 15
    assert watched.state("quarantine-rate-is-up") == "OK"
