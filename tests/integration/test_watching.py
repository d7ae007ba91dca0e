"""What a batch on the local cloud leaves behind: lines, metrics, a trace, lineage, all its own."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from infra.ecp.batches.log_lines import LOG_GROUPS
from infra.local import cloud as local_cloud
from infra.local.cloud import RunningCloud
from infra.local.folders import Folders
from tests.support.collector import Collector, Received, faults_of, running_collector
from tests.support.ecp import PROJECT, ecp
from tests.support.emf import samples_in
from tests.support.openlineage import LineageBackend, running_backend
from tests.support.openlineage import faults_of as faults_of_lineage
from tests.support.pipeline import DATA_BUCKET, Pipeline, eventually
from tests.support.shop import (
    a_product,
    an_item,
    an_order,
    items_csv,
    orders_csv,
    products_csv,
)

pytestmark = pytest.mark.integration
SERVICES = {path.parent.name for path in PROJECT.glob("services/*/template.yaml")}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture(scope="module")
def backend() -> Iterator[LineageBackend]:
    with running_backend() as running:
        yield running


@pytest.fixture(scope="module")
def watched(
    collector: Collector, backend: LineageBackend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningCloud]:
    """A cloud of its own, that sends its spans and its lineage to servers of the test's."""
    directory = tmp_path_factory.mktemp("watched")
    settings = {
        "SETTLE_SECONDS": "2",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OPENLINEAGE_URL": backend.url,
    }
    running = local_cloud.up(directory, port=0, settings=settings)
    yield running
    local_cloud.down(directory, keep=False)


@pytest.fixture(scope="module")
def pipeline(watched: RunningCloud) -> Pipeline:
    return Pipeline(watched.environment())


@pytest.fixture(scope="module")
def batches(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Two batches, one after the other: what the first leaves behind would show in the second."""
    return [a_batch(pipeline, name) for name in ("watched-1", "watched-2")]


def a_batch(pipeline: Pipeline, name: str) -> dict[str, Any]:
    day = "2003-03-03"
    rows = [an_order(f"{name}-{number}", order_date=day) for number in range(1, 11)]
    files = {
        f"orders/{name}.csv": orders_csv(*rows, an_order(f"{name}-x", order_date="2003-02-30")),
        f"order_items/{name}.csv": items_csv(an_item(f"{name}-1", f"{name}-p")),
        f"products/{name}.csv": products_csv(a_product(f"{name}-p")),
    }
    pipeline.upload_set(name, files)
    closed = pipeline.batch_of(f"orders/{name}.csv")
    assert closed["status"] == "COMPLETED", closed
    return closed


@pytest.fixture(scope="module")
def output(watched: RunningCloud, pipeline: Pipeline, batches: list[dict[str, Any]]) -> list[str]:
    """Every line that functions and workers wrote, once the relay has told of the last event."""
    last = batches[-1]["batch_id"]

    def complete() -> list[str] | None:
        texts = list(everything(watched, pipeline))
        told = [json.loads(text) for text in texts if "event relayed" in text and last in text]
        return texts if any(line["event_type"] == "BatchCompleted" for line in told) else None

    return eventually(complete)


def everything(running: RunningCloud, pipeline: Pipeline) -> Iterator[str]:
    logs = pipeline.client("logs")
    for group in {found["logGroupName"] for found in logs.describe_log_groups()["logGroups"]}:
        if group in LOG_GROUPS:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            yield from (event["message"] for page in pages for event in page["events"])
    for name in ("validator", "transformer"):
        yield from Folders(running.directory).log(name).read_text().splitlines()


@pytest.fixture(scope="module")
def lines(output: list[str]) -> list[dict[str, Any]]:
    """The log lines among the output; metrics are lines of another kind."""
    return [json.loads(text) for text in output if text.startswith("{") and '"_aws"' not in text]


def test_every_line_about_a_batch_has_its_key_and_no_line_that_of_another(
    lines: list[dict[str, Any]], batches: list[dict[str, Any]]
) -> None:
    for batch in batches:
        about = [line for line in lines if batch["batch_id"] in json.dumps(line)]
        assert len(about) > 20
        assert [line for line in about if line.get("batch_id") != batch["batch_id"]] == []


def test_every_event_of_a_batch_is_among_the_lines_of_its_batch(
    lines: list[dict[str, Any]], batches: list[dict[str, Any]], pipeline: Pipeline
) -> None:
    for batch in batches:
        stored = {event["event_id"] for event in pipeline.events(batch["batch_id"])}
        relayed = {
            line["event_id"]
            for line in lines
            if line["message"] == "event relayed" and line.get("batch_id") == batch["batch_id"]
        }
        assert relayed == stored


def test_one_batch_id_finds_all_services_and_the_execution(
    batches: list[dict[str, Any]], pipeline: Pipeline, watched: RunningCloud
) -> None:
    for batch in batches:
        batch_id = batch["batch_id"]
        said = ecp("logs", batch_id, "--json", directory=watched.directory)
        assert said.exit_code == 0, said.err
        assert {line["service"] for line in said.document if "service" in line} == SERVICES
        assert len({json.dumps(line) for line in said.document}) == len(said.document)
        handled = [line for line in said.document if line.get("message") == "message handled"]
        commands = {"AcquireLock", "ValidateFile", "TransformBatch", "ArchiveBatch", "ReleaseLock"}
        assert commands <= {line["event_type"] for line in handled}
        execution = pipeline.client("stepfunctions").describe_execution(
            executionArn=batch["execution_id"]
        )
        assert execution["name"] == batch_id


def test_people_see_them_in_one_table(batches: list[dict[str, Any]], watched: RunningCloud) -> None:
    said = ecp("logs", batches[0]["batch_id"], directory=watched.directory)
    assert said.exit_code == 0, said.err
    for service in SERVICES:
        assert service in said.out
    assert "_aws" not in said.out


def test_the_numbers_of_a_batch_are_found_by_it(
    output: list[str], batches: list[dict[str, Any]]
) -> None:
    samples = samples_in("\n".join(output))
    for batch in batches:
        about = [one for one in samples if one.line.get("batch_id") == batch["batch_id"]]
        sums = {
            name: sum(value for one in about if one.name == name for value in one.values)
            for name in ("RowsIn", "RowsQuarantined", "FilesArchived", "BatchesEnded", "SetsSealed")
        }
        assert sums == {
            "RowsIn": 13, "RowsQuarantined": 1, "FilesArchived": 3, "BatchesEnded": 1,
            "SetsSealed": 1,
        }  # fmt: skip
        timed = {one.dimensions["event_type"] for one in about if one.name == "HandlingSeconds"}
        assert {"ValidateFile", "TransformBatch", "ArchiveBatch"} <= timed


@pytest.fixture(scope="module")
def spans(
    collector: Collector, pipeline: Pipeline, batches: list[dict[str, Any]]
) -> dict[str, list[Received]]:
    """The spans of each batch, once that of its last event has come."""
    return {
        batch["batch_id"]: spans_of(batch["batch_id"], collector, pipeline) for batch in batches
    }


def spans_of(batch_id: str, collector: Collector, pipeline: Pipeline) -> list[Received]:
    stored = {event["event_id"] for event in pipeline.events(batch_id)}

    def complete() -> list[Received] | None:
        found = [one for one in list(collector.spans) if one.attributes["batch_id"] == batch_id]
        sent = {one.attributes["messaging.message.id"] for one in found if one.kind == "PRODUCER"}
        closed = any(one.name == "handle CloseBatch" for one in found)
        return found if closed and stored <= sent else None

    return eventually(complete)


def test_a_batch_is_one_connected_trace_across_all_queues(
    spans: dict[str, list[Received]],
) -> None:
    for of_batch in spans.values():
        assert len({span.trace_id for span in of_batch}) == 1
        assert faults_of(of_batch) == []
        [root] = [span for span in of_batch if not span.parent_id]
        assert root.name == "BatchSealed"
    assert len({of_batch[0].trace_id for of_batch in spans.values()}) == len(spans)


def test_every_service_has_spans_and_the_saga_its_steps(spans: dict[str, list[Received]]) -> None:
    for of_batch in spans.values():
        handled = {(span.service, span.name) for span in of_batch if span.kind == "CONSUMER"}
        assert handled >= {
            ("aggregator", "handle BatchSealed"),
            ("aggregator", "handle CloseBatch"),
            ("lock", "handle AcquireLock"),
            ("lock", "handle ReleaseLock"),
            ("validator", "handle ValidateFile"),
            ("transformer", "handle TransformBatch"),
            ("archiver", "handle ArchiveBatch"),
        }
        steps = [span.name for span in of_batch if span.service == "saga"]
        assert sorted(steps) == sorted(
            ["AcquireLock", *["ValidateFile"] * 3, "TransformBatch", "ArchiveBatch",
             "ReleaseLock", "CloseBatch"]
        )  # fmt: skip
        assert not [span for span in of_batch if span.is_error]


def test_what_a_command_caused_lies_under_it(spans: dict[str, list[Received]]) -> None:
    for of_batch in spans.values():
        by_id = {span.span_id: span for span in of_batch}
        validated = [span for span in of_batch if span.name == "FileValidated"]
        assert len(validated) == 3
        assert {by_id[span.parent_id].name for span in validated} == {"ValidateFile"}
        assert len({span.parent_id for span in validated}) == 3


@pytest.fixture(scope="module")
def told(backend: LineageBackend, batches: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The start and the end of each batch's run, as they came."""

    def of(batch: dict[str, Any]) -> list[dict[str, Any]] | None:
        tag = {"key": "batch_id", "value": batch["batch_id"], "source": "ECOMMERCE_PIPELINE"}
        found = [one for one in list(backend.events) if tag in one["run"]["facets"]["tags"]["tags"]]
        ended = any(one["eventType"] != "START" for one in found)
        return sorted(found, key=lambda one: str(one["eventTime"])) if ended else None

    return [eventually(partial(of, batch)) for batch in batches]


def test_each_batch_is_one_run_of_lineage_from_files_at_their_versions_to_snapshots(
    told: list[list[dict[str, Any]]], pipeline: Pipeline, batches: list[dict[str, Any]]
) -> None:
    for (start, complete), batch in zip(told, batches, strict=True):
        assert [faults_of_lineage(start), faults_of_lineage(complete)] == [[], []]
        assert (start["eventType"], complete["eventType"]) == ("START", "COMPLETE")
        assert start["run"]["runId"] == complete["run"]["runId"]
        manifest = pipeline.manifest(batch["batch_id"])
        versions = {file["key"]: file["version_id"] for file in manifest["files"]}
        for event in (start, complete):
            inputs = {
                each["name"]: each["facets"]["version"]["datasetVersion"]
                for each in event["inputs"]
            }
            assert inputs == versions
            assert {each["namespace"] for each in event["inputs"]} == {f"s3://{DATA_BUCKET}"}
        result = pipeline.result(batch["batch_id"])
        snapshots = {
            each["name"]: each["facets"]["version"]["datasetVersion"]
            for each in complete["outputs"]
        }
        tables = ("orders", "order_items", "products", "order_kpis", "category_kpis")
        assert snapshots == {
            f"table/ecommerce/{name}": result["snapshots"][name] for name in tables
        }
    runs = {start["run"]["runId"] for start, _ in told}
    assert len(runs) == len(batches)


def test_lineage_says_how_many_rows_of_a_file_were_rejected(
    told: list[list[dict[str, Any]]],
) -> None:
    for _, complete in told:
        of_kind = {each["name"].split("/")[0]: each["inputFacets"] for each in complete["inputs"]}
        assert of_kind["orders"]["dataQualityMetrics"]["rowCount"] == 11
        quarantined = {
            kind: [one["actual"] for one in facets["dataQualityAssertions"]["assertions"]][1]
            for kind, facets in of_kind.items()
        }
        assert quarantined == {"orders": "1", "order_items": "0", "products": "0"}
