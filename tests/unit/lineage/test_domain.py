"""What is told of a batch: valid by the standard's own schemas, and true."""

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from openlineage.client.serde import Serde

from contracts.envelope import Message
from services.lineage.domain import PRODUCER, Documents, run_event
from services.lineage.tables import COLUMNS
from services.transformer.facts.tables import INDEX, SCHEMAS
from tests.contract.builders import BATCH, EXECUTION, OTHER_BATCH
from tests.support.openlineage import facets_of, faults_of
from tests.unit.lineage.batches import (
    BUCKET,
    GOOD,
    HOSTILE,
    KPI_SNAPSHOTS,
    SNAPSHOTS,
    a_fate,
    a_file,
    a_manifest,
    a_report,
    a_result,
    the_event,
)

NAMESPACE = "the-shop"
ENDINGS = {"BatchCompleted": "COMPLETE", "BatchRejected": "FAIL", "BatchFailed": "FAIL"}
LOOKUP = {
    "name": "categories",
    "ref": {
        "bucket": BUCKET,
        "key": "incoming/my-shop/lookups/categories.csv",
        "version_id": "v9",
        "sha256": "9" * 64,
    },
}
SOURCE = {
    "name": "my-shop",
    "version": 2,
    "ref": LOOKUP["ref"],
    "gives": ["orders", "order_items"],
}


def sent(message: Message, documents: Documents | None = None) -> dict[str, Any]:
    """The event as a backend gets it."""
    told = run_event(message, documents or Documents(a_manifest(), a_result()), NAMESPACE)
    event: dict[str, Any] = json.loads(Serde.to_json(told))
    return event


def tags_of(event: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in event["run"]["facets"]["tags"]["tags"]}


@pytest.mark.parametrize("event_type", ["BatchStarted", *ENDINGS])
@pytest.mark.parametrize(
    "documents",
    [
        Documents(),
        Documents(a_manifest()),
        Documents(a_manifest(), a_result()),
        Documents(a_manifest(), reports={1: a_report(1, HOSTILE, status="rejected", reason="no")}),
        Documents(a_manifest(a_file(0, GOOD, source=SOURCE, lookups=[LOOKUP]))),
    ],
    ids=["nothing left", "manifest", "result", "report", "source"],
)
def test_what_is_told_conforms_to_the_standard(event_type: str, documents: Documents) -> None:
    assert faults_of(sent(the_event(event_type), documents)) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda event: event.pop("producer"), "producer"),
        (lambda event: event["run"].update(runId="3f2a9c0d1e4b5a67"), "uuid"),
        (lambda event: event.update(eventType="DONE"), "DONE"),
        (lambda event: event["inputs"][0]["facets"]["version"].pop("datasetVersion"), "version"),
        (lambda event: event["job"]["facets"]["jobType"].pop("_producer"), "_producer"),
    ],
)
def test_the_schemas_find_what_is_wrong(spoil: Any, said: str) -> None:
    event = sent(the_event("BatchCompleted"))
    spoil(event)
    assert said in " ".join(faults_of(event))


def test_a_start_names_the_files_at_their_versions_and_no_table() -> None:
    event = sent(the_event("BatchStarted"), Documents(a_manifest()))
    assert (event["eventType"], event["eventTime"]) == ("START", "2025-07-07T12:00:00.000Z")
    assert (event["job"]["namespace"], event["job"]["name"]) == (NAMESPACE, "ecsJob")
    assert event["outputs"] == []
    files = [(each["namespace"], each["name"]) for each in event["inputs"]]
    assert files == [(f"s3://{BUCKET}", GOOD), (f"s3://{BUCKET}", HOSTILE)]
    versions = [each["facets"]["version"]["datasetVersion"] for each in event["inputs"]]
    assert versions == ["v0", "v1"]
    assert [set(each["inputFacets"]) for each in event["inputs"]] == [{"inputStatistics"}] * 2


def test_all_of_it_names_who_says_it() -> None:
    event = sent(the_event("BatchCompleted"))
    facets = list(facets_of(event))
    assert event["producer"] == PRODUCER
    assert {facet["_producer"] for _, facet in facets} == {PRODUCER}
    assert {name for name, _ in facets} == {
        *("tags", "jobType", "documentation", "version", "storage", "schema"),
        *("inputStatistics", "dataQualityMetrics", "dataQualityAssertions", "outputStatistics"),
    }


@pytest.mark.parametrize(("event_type", "state"), ENDINGS.items())
def test_a_run_has_the_id_of_its_start_however_it_ends(event_type: str, state: str) -> None:
    start, end = sent(the_event("BatchStarted")), sent(the_event(event_type))
    assert end["eventType"] == state
    assert start["run"]["runId"] == end["run"]["runId"]
    assert UUID(start["run"]["runId"]).version == 5


def test_another_attempt_or_batch_is_another_run_and_the_same_message_is_the_same() -> None:
    first, again = sent(the_event("BatchStarted")), sent(the_event("BatchStarted", attempt=1))
    other = sent(the_event("BatchStarted", batch_id=OTHER_BATCH, attempt=2))
    assert len({event["run"]["runId"] for event in (first, again, other)}) == 3
    assert (tags_of(first)["attempt"], tags_of(again)["attempt"]) == ("0", "1")
    assert tags_of(again)["batch_id"] == BATCH
    assert sent(the_event("BatchStarted")) == first


def test_a_completed_batch_names_each_table_at_its_snapshot() -> None:
    event = sent(the_event("BatchCompleted"))
    assert {each["namespace"] for each in event["outputs"]} == {
        "arn:aws:glue:us-east-1:000000000000"
    }
    versions = {
        each["name"]: each["facets"]["version"]["datasetVersion"] for each in event["outputs"]
    }
    known = SNAPSHOTS | KPI_SNAPSHOTS
    assert versions == {f"table/ecommerce/{name}": known[name] for name in known if name != INDEX}
    rows = {
        each["name"]: each["outputFacets"]["outputStatistics"]["rowCount"]
        for each in event["outputs"]
        if each.get("outputFacets")
    }
    assert rows == {"table/ecommerce/order_kpis": 1, "table/ecommerce/category_kpis": 2}
    assert tags_of(event) == {
        "batch_id": BATCH,
        "execution_id": EXECUTION,
        "attempt": "0",
        "outcome": "COMPLETED",
        "engine": "duckdb",
    }


def test_a_batch_of_before_there_were_kpi_tables_names_those_that_it_made() -> None:
    documents = Documents(a_manifest(), a_result(snapshots={"orders": "1"}))
    event = sent(the_event("BatchCompleted"), documents)
    assert [each["name"] for each in event["outputs"]] == ["table/ecommerce/orders"]


def test_the_columns_of_the_tables_are_the_transformers() -> None:
    theirs = {
        name: {field.name: str(field.field_type) for field in schema.fields}
        for name, schema in SCHEMAS.items()
        if name != INDEX
    }
    assert {name: dict(columns) for name, columns in COLUMNS.items()} == theirs
    assert [list(columns) for columns in COLUMNS.values()] == [
        list(theirs[name]) for name in COLUMNS
    ]


def test_each_file_says_what_was_found_in_it() -> None:
    fates = (
        a_fate(0, GOOD, rows_in=13, left_out={"draft": 3}),
        a_fate(1, HOSTILE, accepted=9, quarantined=0),
    )
    event = sent(the_event("BatchCompleted"), Documents(a_manifest(), a_result(*fates)))
    first, second = (each["inputFacets"] for each in event["inputs"])
    metrics = first["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["bytes"], metrics["fileCount"]) == (13, 120, 1)
    assert (first["inputStatistics"]["rowCount"], first["inputStatistics"]["size"]) == (13, 120)
    accepted, rows = first["dataQualityAssertions"]["assertions"]
    assert (accepted["success"], accepted["actual"]) == (True, "accepted")
    assert (rows["success"], rows["actual"], rows["severity"]) == (False, "2", "warn")
    assert rows["params"] == {
        "rows_in": 13,
        "accepted": 7,
        "quarantined": 2,
        "duplicates": 1,
        "left_out": 3,
    }
    assert [each["success"] for each in second["dataQualityAssertions"]["assertions"]] == [
        True,
        True,
    ]


def test_a_rejected_batch_says_which_file_and_why() -> None:
    report = a_report(1, HOSTILE, status="rejected", reason="column order_date is missing")
    event = sent(the_event("BatchRejected"), Documents(a_manifest(), reports={1: report}))
    assert event["run"]["facets"]["errorMessage"]["message"] == "1 file rejected"
    healthy, rejected = (each["inputFacets"] for each in event["inputs"])
    assert "dataQualityAssertions" not in healthy
    assertion = rejected["dataQualityAssertions"]["assertions"][0]
    assert assertion["assertion"] == "file_accepted"
    assert (assertion["success"], assertion["severity"]) == (False, "error")
    assert assertion["actual"] == "column order_date is missing"
    assert event["outputs"] == []


def test_a_failed_batch_says_why() -> None:
    event = sent(the_event("BatchFailed"), Documents(a_manifest()))
    assert event["run"]["facets"]["errorMessage"]["message"] == "TransformBatch timed out"
    assert tags_of(event)["outcome"] == "FAILED"


def test_a_plain_file_has_the_columns_of_its_contract_and_another_none() -> None:
    files = (
        a_file(0, GOOD),
        a_file(1, "incoming/my-shop/1.csv", source=SOURCE, lookups=[LOOKUP]),
        a_file(2, "incoming/my-shop/2.csv", source=SOURCE, lookups=[LOOKUP]),
    )
    event = sent(the_event("BatchStarted"), Documents(a_manifest(*files)))
    plain, first, second, lookup = event["inputs"]
    columns = [
        (each["ordinal_position"], each["name"]) for each in plain["facets"]["schema"]["fields"]
    ]
    assert columns[:2] == [(1, "order_id"), (2, "user_id")]
    assert "schema" not in first["facets"].keys() | second["facets"].keys()
    assert (lookup["name"], lookup["facets"]["version"]["datasetVersion"]) == (
        LOOKUP["ref"]["key"],
        "v9",
    )


def test_an_execution_that_a_person_named_is_a_run_like_any() -> None:
    message = the_event("BatchStarted")
    by_hand = f"{EXECUTION.rsplit(':', 1)[0]}:by-hand"
    named = replace(message, data=message.data.model_copy(update={"execution_id": by_hand}))
    event = sent(named, Documents(a_manifest()))
    assert faults_of(event) == []
    assert "attempt" not in tags_of(event)
