"""The lineage as its queue sees it: what reaches a backend, and what becomes of what does not."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from contracts.errors import PipelineError
from contracts.layout import file_report_key, manifest_key, result_key
from contracts.messages import ObjectRef
from services.lineage.adapters import S3BatchDocuments, backend_if_any
from services.lineage.handler import lineage_service
from services.lineage.use_cases import Ports
from services.runtime.messaging.consumer import handle_sqs_records
from services.runtime.messaging.task_callbacks import InMemoryTaskCallbacks
from services.runtime.storage.documents import S3ObjectStore
from tests.contract.builders import BATCH, a_body
from tests.support.doubles import RecordedDeadLetters, Refusing, refused
from tests.support.log_lines import recorded_lines
from tests.support.moto_account import versioned_buckets
from tests.support.openlineage import LineageBackend, faults_of, running_backend
from tests.unit.lineage.batches import (
    BUCKET,
    GOOD,
    HOSTILE,
    a_manifest,
    a_report,
    a_result,
    the_body,
)

pytestmark = pytest.mark.medium

QUEUE = "lineage-events"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:000000000000:{QUEUE}"


class LineageHarness:
    """The service on a bucket of its own and whatever backend the environment names."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.dead_letters = RecordedDeadLetters()

    def keep(self, key: str, document: Any) -> ObjectRef:
        return S3ObjectStore(self.s3).put_json(BUCKET, key, document.model_dump(mode="json"))

    def deliver(self, body: str) -> bool:
        """Whether the message was taken; one that was not comes again."""
        ports = Ports(S3BatchDocuments(self.s3, BUCKET), backend_if_any(), "the-shop")
        service = lineage_service(ports, InMemoryTaskCallbacks(), self.dead_letters)
        record = {"messageId": "1", "body": body, "eventSourceARN": QUEUE_ARN}
        answer = handle_sqs_records({"Records": [record]}, service.handle)
        return answer == {"batchItemFailures": []}


@pytest.fixture(autouse=True)
def _settings_of_nobody(tmp_path: Path) -> Iterator[None]:
    """Neither of whoever runs the tests nor of a test before; the client sets variables itself."""
    with mock.patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
            del os.environ[name]
        os.environ["HOME"] = str(tmp_path)
        yield


@pytest.fixture
def harness() -> Iterator[LineageHarness]:
    with versioned_buckets(BUCKET) as s3:
        yield LineageHarness(s3)


@pytest.fixture
def backend() -> Iterator[LineageBackend]:
    with running_backend() as running:
        name_transport(type="http", url=running.url, retry={"total": 0, "read": 0, "connect": 0})
        yield running


def name_transport(**transport: Any) -> None:
    os.environ["OPENLINEAGE__TRANSPORT"] = json.dumps(transport)


def test_a_batch_is_told_from_its_start_to_its_end(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    harness.keep(manifest_key(BATCH), a_manifest())
    result = harness.keep(result_key(BATCH), a_result())
    assert harness.deliver(the_body("BatchStarted"))
    assert harness.deliver(the_body("BatchCompleted", result=result.model_dump()))
    start, complete = backend.events
    assert [faults_of(event) for event in backend.events] == [[], []]
    assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == complete["run"]["runId"]
    assert [each["name"] for each in complete["inputs"]] == [GOOD, HOSTILE]
    assert len(complete["outputs"]) == 5
    quality = complete["inputs"][0]["inputFacets"]["dataQualityMetrics"]
    assert (quality["rowCount"], quality["bytes"]) == (10, 120)


def test_of_a_rejected_batch_the_reports_of_the_rejected_files_are_told(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    harness.keep(manifest_key(BATCH), a_manifest())
    for index, key in enumerate((GOOD, HOSTILE)):
        report = a_report(index, key, status="rejected", reason=f"reason {index}", rows_in=index)
        harness.keep(file_report_key(BATCH, index), report)
    rejected = [{"key": HOSTILE, "reason": "reason 1"}]
    assert harness.deliver(the_body("BatchRejected", rejected_files=rejected))
    [event] = backend.events
    healthy, bad = (each["inputFacets"] for each in event["inputs"])
    assert set(healthy) == {"inputStatistics"}
    assert bad["dataQualityAssertions"]["assertions"][0]["actual"] == "reason 1"


def test_a_report_on_another_version_of_a_file_is_left_out(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    harness.keep(manifest_key(BATCH), a_manifest())
    harness.keep(file_report_key(BATCH, 1), a_report(1, HOSTILE, version_id="older"))
    rejected = [{"key": HOSTILE, "reason": "no"}, {"key": GOOD, "reason": "no report"}]
    assert harness.deliver(the_body("BatchRejected", rejected_files=rejected))
    [event] = backend.events
    assert [set(each["inputFacets"]) for each in event["inputs"]] == [{"inputStatistics"}] * 2


def test_what_has_expired_is_left_out_and_the_run_is_told(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    gone = harness.keep(result_key(BATCH), a_result())
    harness.s3.delete_object(Bucket=BUCKET, Key=gone.key, VersionId=gone.version_id)
    assert harness.deliver(the_body("BatchCompleted", result=gone.model_dump()))
    [event] = backend.events
    assert (event["eventType"], event["inputs"], event["outputs"]) == ("COMPLETE", [], [])
    assert faults_of(event) == []


def test_a_message_that_comes_twice_is_the_same_event_twice(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    harness.keep(manifest_key(BATCH), a_manifest())
    assert harness.deliver(the_body("BatchStarted"))
    assert harness.deliver(the_body("BatchStarted"))
    first, again = backend.events
    assert first == again


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"OPENLINEAGE__TRANSPORT": "", "OPENLINEAGE_URL": "", "OPENLINEAGE_CONFIG": ""},
        {"OPENLINEAGE_URL": "http://127.0.0.1:1", "OPENLINEAGE_DISABLED": "true"},
        {"OPENLINEAGE__TRANSPORT": '{"type": "console"}', "OPENLINEAGE_DISABLED": " True"},
    ],
    ids=["nothing set", "empty as the template has it", "disabled", "disabled, spelled otherwise"],
)
def test_without_a_transport_nothing_is_read_sent_printed_or_logged(
    settings: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    os.environ.update(settings)
    harness = LineageHarness(Refusing(AssertionError("nothing is to be read")))
    with recorded_lines() as lines:
        assert harness.deliver(the_body("BatchStarted"))
    assert harness.dead_letters.letters == []
    assert [line for line in lines if line["level"] not in ("INFO", "DEBUG")] == []
    assert [record for record in caplog.records if record.name.startswith("openlineage")] == []
    assert "lineage" not in "".join(capfd.readouterr()).lower()


def test_a_backend_that_is_away_leaves_the_message_in_the_queue_and_says_why(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    backend.status = 503
    with recorded_lines() as lines:
        assert not harness.deliver(the_body("BatchStarted"))
    [line] = [line for line in lines if line["level"] == "ERROR"]
    assert "the lineage backend did not take START of run" in line["exception"]
    assert harness.dead_letters.letters == []
    backend.status = 201
    assert harness.deliver(the_body("BatchStarted"))
    assert [event["eventType"] for event in backend.events] == ["START"]


def test_a_backend_that_nobody_can_reach_leaves_the_message_in_the_queue(
    harness: LineageHarness,
) -> None:
    name_transport(type="http", url="http://127.0.0.1:1", retry={"total": 0, "connect": 0})
    with recorded_lines() as lines:
        assert not harness.deliver(the_body("BatchStarted"))
    assert "127.0.0.1" in lines[-1]["exception"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_the_backend_refuses_is_a_dead_letter_at_once_with_its_words(
    harness: LineageHarness, backend: LineageBackend, status: int
) -> None:
    backend.status = status
    assert harness.deliver(the_body("BatchStarted"))
    [(queue, _, reason)] = harness.dead_letters.letters
    assert queue == QUEUE
    assert "the lineage backend refuses START of run" in reason
    assert "as the test wants it" in reason
    assert backend.calls == 1


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_what_a_setting_or_time_may_cure_is_tried_again(
    harness: LineageHarness, backend: LineageBackend, status: int
) -> None:
    backend.status = status
    assert not harness.deliver(the_body("BatchStarted"))
    assert harness.dead_letters.letters == []


def test_the_short_settings_name_a_backend_and_its_key(harness: LineageHarness) -> None:
    with running_backend() as backend:
        os.environ |= {
            "OPENLINEAGE_URL": backend.url,
            "OPENLINEAGE_API_KEY": "k",
            "OPENLINEAGE__TRANSPORT": "",
        }
        assert harness.deliver(the_body("BatchStarted"))
        assert harness.deliver(the_body("BatchFailed"))
    assert [event["eventType"] for event in backend.events] == ["START", "FAIL"]
    assert backend.keys == ["Bearer k", "Bearer k"]


def test_a_file_takes_the_events_line_by_line(harness: LineageHarness, tmp_path: Path) -> None:
    path = tmp_path / "lineage.jsonl"
    name_transport(type="file", log_file_path=str(path), append=True)
    harness.keep(manifest_key(BATCH), a_manifest())
    assert harness.deliver(the_body("BatchStarted"))
    assert harness.deliver(the_body("BatchFailed"))
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "FAIL"]
    assert events[0]["inputs"][1]["name"] == HOSTILE


def test_a_configuration_file_names_the_transport(harness: LineageHarness, tmp_path: Path) -> None:
    path, config = tmp_path / "lineage.jsonl", tmp_path / "openlineage.yml"
    config.write_text(f"transport: {{type: file, append: true, log_file_path: {path}}}\n")
    os.environ["OPENLINEAGE_CONFIG"] = str(config)
    assert harness.deliver(the_body("BatchStarted"))
    assert json.loads(path.read_text())["eventType"] == "START"


def test_a_transport_that_sends_in_the_background_has_sent_when_the_message_is_taken(
    harness: LineageHarness,
) -> None:
    with running_backend() as backend:
        name_transport(type="async_http", url=backend.url)
        assert harness.deliver(the_body("BatchStarted"))
        assert [event["eventType"] for event in backend.events] == ["START"]


def test_a_transport_that_is_no_json_says_what_it_should_be() -> None:
    os.environ["OPENLINEAGE__TRANSPORT"] = "marquez"
    with pytest.raises(PipelineError, match="OPENLINEAGE__TRANSPORT is no JSON object"):
        backend_if_any()


def test_what_s3_does_not_give_is_no_expired_document(backend: LineageBackend) -> None:
    harness = LineageHarness(Refusing(refused("AccessDenied")))
    assert not harness.deliver(the_body("BatchStarted"))
    assert backend.events == []


def test_the_repository_that_a_function_happens_to_run_in_is_not_told(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    assert harness.deliver(the_body("BatchStarted"))
    assert "sourceCodeLocation" not in backend.events[0]["job"]["facets"]


def test_a_message_of_others_goes_to_the_dead_letters(
    harness: LineageHarness, backend: LineageBackend
) -> None:
    assert harness.deliver(a_body("BatchSealed"))
    [letter] = harness.dead_letters.letters
    assert letter[0] == QUEUE
    assert backend.events == []
