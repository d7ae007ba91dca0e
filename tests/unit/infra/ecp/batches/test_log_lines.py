"""`ecp logs`: the lines of one batch out of many logs, whoever wrote them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from infra.ecp import target
from infra.ecp.batches import logs
from infra.ecp.batches.log_lines import LOG_GROUPS, lines_about, lines_in_files, lines_in_groups
from infra.ecp.main import app
from infra.stage import WITHOUT, Stage
from tests.contract.builders import BATCH, OTHER_BATCH
from tests.contract.declared import templates
from tests.unit.infra.accounts import Account
from tests.unit.infra.batch_events import BEGAN, completed_batch


def a_line(batch_id: str | None = BATCH, message: str = "file checked", **more: Any) -> str:
    line = {
        "level": "INFO",
        "location": "_validate:126",
        "message": message,
        "timestamp": "2025-07-07T12:00:01.500+00:00",
        "service": "validator",
        "event_type": "ValidateFile",
    }
    return json.dumps(line | ({"batch_id": batch_id} if batch_id else {}) | more)


def a_saga_line(kind: str, execution: str = BATCH, **details: str) -> str:
    arn = f"arn:aws:states:us-east-1:000000000000:execution:ecsJob:{execution}"
    line = {"execution_arn": arn, "type": kind, "event_timestamp": "1751889602000"}
    return json.dumps(line | {"details": details})


def test_a_line_says_who_when_and_what() -> None:
    [line] = lines_about(BATCH, [a_line(key="orders/a.csv", rows=3)])
    assert (line.at, line.service, line.level) == ("2025-07-07T12:00:01.500Z", "validator", "INFO")
    assert line.said == "file checked event_type=ValidateFile key=orders/a.csv rows=3"


def test_a_fault_ends_with_what_was_raised() -> None:
    trace = "Traceback (most recent call last):\n  ...\ncontracts.errors.Transient: away"
    [line] = lines_about(BATCH, [a_line(exception=trace)])
    assert line.said.endswith("contracts.errors.Transient: away")


def test_the_sagas_lines_are_found_by_the_name_of_the_execution() -> None:
    texts = [
        a_saga_line("TaskStateEntered", name="AcquireLock"),
        a_saga_line("TaskFailed", f"{BATCH}-r1", error="StaleWriter"),
        a_saga_line("TaskStateEntered", OTHER_BATCH, name="AcquireLock", input=BATCH),
    ]
    assert [(line.service, line.level, line.said) for line in lines_about(BATCH, texts)] == [
        ("saga", "INFO", "TaskStateEntered AcquireLock"),
        ("saga", "ERROR", "TaskFailed StaleWriter"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        a_line(OTHER_BATCH),
        a_line(None),
        a_line(OTHER_BATCH, message=f"{BATCH} is mentioned only"),
        json.dumps({"_aws": {"Timestamp": 1}, "batch_id": BATCH, "RowsIn": [1.0]}),
        f"START {BATCH}",
        f'["{BATCH}"]',
        "{" + BATCH,
    ],
    ids=["another", "none", "mentioned", "a metric", "no JSON", "a list", "broken"],
)
def test_what_is_not_about_the_batch_is_left_out(text: str) -> None:
    assert list(lines_about(BATCH, [text])) == []


@pytest.mark.medium
def test_every_log_group_that_is_deployed_is_searched() -> None:
    deployed = {
        group["LogGroupName"]
        for template in templates()
        for group in template.of_type("AWS::Logs::LogGroup").values()
    }
    assert set(LOG_GROUPS) == deployed


def write_lines(client: Any, group: str, *texts: str) -> None:
    """Write them now: events of two weeks ago are refused, by AWS too."""
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in texts]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_logs_that_are_not_there_have_no_lines(aws: Any) -> None:
    assert lines_in_groups(aws("logs"), WITHOUT, BATCH, BEGAN) == []


def test_a_workers_files_are_read_whatever_else_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "validator.log").write_bytes(b"\xff not text\n" + a_line().encode() + b"\n")
    (tmp_path / "transformer.log").write_text(a_line(service="transformer") + "\n" + a_line(None))
    services = [line.service for line in lines_in_files(tmp_path.glob("*.log"), BATCH)]
    assert services == ["transformer", "validator"]


@pytest.fixture
def account(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(target, "find_running_cloud", lambda: None)
    monkeypatch.setattr(logs, "find_running_cloud", lambda: None)
    return Account(aws)


def test_the_command_shows_one_list_by_time(account: Account) -> None:
    account.record(completed_batch())
    later = a_line(message="later", timestamp="2025-07-07T12:00:09.000+00:00", service="relay")
    client = account.client("logs")
    write_lines(client, "/aws/lambda/event-relay", later, a_line(OTHER_BATCH))
    write_lines(client, "/aws/ecs/validation-task", a_line(message="sooner"))

    said = CliRunner().invoke(app, ["logs", BATCH, "--json"])
    assert said.exit_code == 0, said.output
    assert [line["message"] for line in json.loads(said.stdout)] == ["sooner", "later"]
    shown = CliRunner().invoke(app, ["logs", BATCH]).stdout
    assert "2025-07-07 12:00:01.500" in shown
    assert shown.index("sooner") < shown.index("later")


def test_a_batch_that_is_not_there_is_wrong_usage(account: Account) -> None:
    said = CliRunner().invoke(app, ["logs", BATCH])
    assert said.exit_code == 2
    assert "there is no such batch" in said.stderr


def test_lines_of_a_stage_are_in_logs_of_its_own(aws: Any) -> None:
    logs = aws("logs")
    line = {"timestamp": "2025-07-07T10:00:01+00:00", "service": "lock", "level": "INFO"}
    for prefix, said in (("", "plain"), ("blue-", "of blue")):
        group = f"/aws/lambda/{prefix}processing-lock"
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="one")
        message = json.dumps(line | {"batch_id": BATCH, "message": said})
        at = int(time.time() * 1000)
        logs.put_log_events(
            logGroupName=group,
            logStreamName="one",
            logEvents=[{"timestamp": at, "message": message}],
        )
    found = lines_in_groups(logs, Stage("blue"), BATCH, BEGAN)
    assert [one.said for one in found] == ["of blue"]
