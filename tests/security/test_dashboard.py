"""The dashboard shows what is deployed: each metric is one of AWS's, each name one of ours."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.account import of_type

SECTIONS = ("Step Functions", "Logs", "DynamoDB")
METRICS = {
    "AWS/States": {
        "ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut",
        "ExecutionsAborted", "ExecutionTime",
    },
    "AWS/SQS": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits",
        "ConditionalCheckFailedRequests", "TransactionConflict",
        "ReturnedItemCount", "SuccessfulRequestLatency", "ThrottledRequests",
    },
}  # fmt: skip
"""Metrics that these services send (their pages `Monitoring with CloudWatch`)."""
OUR_NAMESPACE = "EcommercePipeline"
BY_OPERATION = {"ReturnedItemCount", "SuccessfulRequestLatency", "ThrottledRequests"}
"""Sent with the dimensions TableName and Operation only: with the table alone there is no line."""
ITEM_OPERATIONS = {"GetItem", "Query", "Scan", "TransactWriteItems"}
CALENDAR_PERIODS = {60, 300, 3600}


def dashboard() -> dict[str, Any]:
    [resource] = of_type("AWS::CloudWatch::Dashboard")
    return dict(json.loads(resource.properties["DashboardBody"]))


def widgets(kind: str) -> list[dict[str, Any]]:
    return [one["properties"] for one in dashboard()["widgets"] if one["type"] == kind]


def metrics() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of each line that is not computed from others."""
    for widget in widgets("metric"):
        for line in widget["metrics"]:
            words = [word for word in line if isinstance(word, str)]
            if words:
                namespace, name, *pairs = words
                yield namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True))


def sources() -> set[str]:
    queries = [widget["query"] for widget in widgets("log")]
    return {source for query in queries for source in re.findall(r"SOURCE '([^']+)'", query)}


def names(resource_type: str) -> set[str]:
    return {resource.name for resource in of_type(resource_type)}


def test_it_has_the_three_sections() -> None:
    headings = [re.match(r"# (.+)", widget["markdown"]) for widget in widgets("text")]
    assert tuple(heading[1] for heading in headings if heading) == SECTIONS


def test_every_metric_is_sent_and_its_dimensions_are_deployed() -> None:
    known = {
        "StateMachineArn": {one.arn for one in of_type("AWS::StepFunctions::StateMachine")},
        "QueueName": names("AWS::SQS::Queue"),
        "TableName": names("AWS::DynamoDB::Table"),
        "Operation": ITEM_OPERATIONS,
    }
    for namespace, name, dimensions in metrics():
        if namespace == OUR_NAMESPACE:  # tests/contract/test_metrics.py
            continue
        assert name in METRICS[namespace], name
        assert ("Operation" in dimensions) == (name in BY_OPERATION), name
        for dimension, value in dimensions.items():
            assert value in known[dimension], f"{name}: {dimension} {value}"


def test_every_table_and_every_log_is_on_it() -> None:
    shown = {dimensions.get("TableName") for _, _, dimensions in metrics()} - {None}
    assert shown == names("AWS::DynamoDB::Table")
    assert sources() == names("AWS::Logs::LogGroup")


def test_every_alarm_on_it_is_one_of_ours() -> None:
    ours = {alarm.arn for alarm in of_type("AWS::CloudWatch::Alarm")}
    [widget] = widgets("alarm")
    assert set(widget["alarms"]) <= ours


@pytest.mark.parametrize("log", ["validation-task", "transformation-task", "file-aggregator"])
def test_the_logs_that_people_know_have_a_widget_of_their_own(log: str) -> None:
    titles = [widget["title"] for widget in widgets("log")]
    assert any(title.endswith(f"/{log}") for title in titles)


def test_no_widget_lies_on_another() -> None:
    taken: set[tuple[int, int]] = set()
    for one in dashboard()["widgets"]:
        cells = {
            (x, y)
            for x in range(one["x"], one["x"] + one["width"])
            for y in range(one["y"], one["y"] + one["height"])
        }
        assert not cells & taken, one["properties"]
        assert one["x"] + one["width"] <= 24
        taken |= cells


def test_an_expression_uses_lines_of_its_own_widget() -> None:
    for widget in widgets("metric"):
        options = [line[-1] for line in widget["metrics"] if isinstance(line[-1], dict)]
        ids = {option["id"] for option in options if "id" in option}
        for option in options:
            if option.get("expression", "").startswith("SEARCH("):
                continue
            used = set(re.findall(r"[a-z]\w*", option.get("expression", "")))
            assert used <= ids, option
        assert widget["period"] in CALENDAR_PERIODS
