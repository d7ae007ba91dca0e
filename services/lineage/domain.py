"""What OpenLineage is told of a batch: a pure function of one event and what it refers to.

A run is one execution of the saga: the batch, and which attempt at it. Its id follows from the
execution, so that an event that comes twice, or after a later one, is said of the same run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, uuid5

from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    RunFacet,
    documentation_job,
    error_message_run,
    job_type_job,
    tags_run,
)

from contracts.envelope import Message
from contracts.identities import attempt_of
from contracts.layout import FACTS_DATABASE
from contracts.messages import (
    BatchCompleted,
    BatchFailed,
    BatchManifest,
    BatchRejected,
    BatchResult,
    BatchStarted,
    FileReport,
)
from services.lineage.datasets import Found, file_dataset, lookup_dataset, table_datasets

PRODUCER = "urn:ecommerce-pipeline:lineage"
set_producer(PRODUCER)  # Facets have it as well, and take it from there.

BatchEvent = BatchStarted | BatchCompleted | BatchRejected | BatchFailed
STATES: Mapping[str, RunState] = {
    "BatchStarted": RunState.START,
    "BatchCompleted": RunState.COMPLETE,
    "BatchRejected": RunState.FAIL,
    "BatchFailed": RunState.FAIL,
}
"""By event. A rejected batch has published nothing: to who reads its tables, it has failed."""
DESCRIPTION = "Daily KPIs of a shop's files: one run for each attempt at a batch of files."


@dataclass(frozen=True)
class Documents:
    """What an event refers to; None where it has expired. `reports`: of rejected files."""

    manifest: BatchManifest | None = None
    result: BatchResult | None = None
    reports: Mapping[int, FileReport] = field(default_factory=dict)

    def found(self) -> dict[int, Found]:
        """What was found in which file, by its position in the manifest."""
        of_result = self.result.files if self.result else []
        by_reports = {index: Found.by(report) for index, report in self.reports.items()}
        return by_reports | {each.index: Found.by(each) for each in of_result}


def run_id(execution_id: str) -> str:
    """The same UUID for the same execution, wherever it is reckoned."""
    return str(uuid5(NAMESPACE_URL, execution_id))


def run_event(
    message: Message, documents: Documents, namespace: str, database: str = FACTS_DATABASE
) -> RunEvent:
    """What is told of the batch.

    `namespace`: that of the job, by which one pipeline is known. `database`: of the facts.
    """
    event: BatchEvent = message.data
    _, _, _, region, account, _, machine, _ = event.execution_id.split(":", 7)
    return RunEvent(
        eventTime=message.occurred_at,
        eventType=STATES[message.event_type],
        producer=PRODUCER,
        run=Run(run_id(event.execution_id), _run_facets(message, documents)),
        job=Job(
            namespace,
            machine,
            {
                "jobType": job_type_job.JobTypeJobFacet("BATCH", "ECOMMERCE_PIPELINE", "JOB"),
                "documentation": documentation_job.DocumentationJobFacet(DESCRIPTION),
            },
        ),
        inputs=list(_inputs(documents)),
        outputs=table_datasets(region, account, database, documents.result)
        if documents.result
        else [],
    )


def _inputs(documents: Documents) -> Iterable[InputDataset]:
    """Every file of the manifest, and each lookup once."""
    manifest, found = documents.manifest, documents.found()
    if manifest is None:
        return
    for file in manifest.files:
        yield file_dataset(manifest.bucket, file, found.get(file.index))
    lookups = {each.ref.key: each.ref for file in manifest.files for each in file.lookups}
    for _, ref in sorted(lookups.items()):
        yield lookup_dataset(ref)


def _run_facets(message: Message, documents: Documents) -> dict[str, RunFacet]:
    event: BatchEvent = message.data
    automatic = attempt_of(event.execution_id)
    named = {
        "batch_id": event.batch_id,
        "execution_id": event.execution_id,
        "attempt": str(automatic[1]) if automatic else None,
        "outcome": message.event_type.removeprefix("Batch").upper(),
        "engine": documents.result.engine if documents.result else None,
    }
    tags = [
        tags_run.TagsRunFacetFields(name, value, "ECOMMERCE_PIPELINE")
        for name, value in named.items()
        if value is not None
    ]
    facets: dict[str, RunFacet] = {"tags": tags_run.TagsRunFacet(tags)}
    if isinstance(event, BatchRejected | BatchFailed):
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(event.reason, "PYTHON")
    return facets
