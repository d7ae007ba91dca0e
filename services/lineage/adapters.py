"""The ports of the lineage: a batch's documents in S3, and OpenLineage's own client."""

import json
import os
from collections.abc import Collection, Mapping
from typing import Any

import requests
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import RunEvent
from openlineage.client.transport.noop import NoopConfig, NoopTransport

from contracts.errors import PipelineError, Refused, Transient
from contracts.layout import file_report_key, manifest_key
from contracts.messages import BatchManifest, BatchResult, FileReport, ObjectRef
from services.runtime.storage.aws import translated
from services.runtime.storage.documents import S3ObjectStore, check_document
from services.runtime.storage.expired_documents import read_unless_expired, stored

DELIVERY_SECONDS = 30
"""A transport that sends in the background has so long to have sent."""
NEVER_TAKEN = (400, 413, 422)
"""Answers of a backend that says that the event itself is wrong: sending it again is in vain."""
SHOWN_CHARACTERS = 500
"""Of what a backend answers."""
OURS = {"facets": {"source_code_location": {"disabled": True}}}
"""Of what repository the folder is a clone where a function happens to run says nothing of it."""


class S3BatchDocuments:
    """On a boto3 `s3` client; newest versions by their published keys, the result as pinned."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def manifest(self, batch_id: str) -> BatchManifest | None:
        """Its files, pinned; None when it has expired."""
        document = self._newest(manifest_key(batch_id), "BatchManifest")
        return None if document is None else BatchManifest.model_validate(document)

    def result(self, ref: ObjectRef) -> BatchResult | None:
        """What became of them; None when it has expired."""
        document = read_unless_expired(S3ObjectStore(self._client), ref)
        if document is None:
            return None
        check_document("BatchResult", document, closed=False)
        return BatchResult.model_validate(document)

    def reports(self, batch_id: str, indexes: Collection[int]) -> Mapping[int, FileReport]:
        """By position; a file that nobody has reported on is not among them."""
        found = {
            index: self._newest(file_report_key(batch_id, index), "FileReport") for index in indexes
        }
        return {
            index: FileReport.model_validate(document)
            for index, document in found.items()
            if document is not None
        }

    def _newest(self, key: str, name: str) -> Any | None:
        body = stored(self._client, self._bucket, key)
        if body is None:
            return None
        with translated(f"s3://{self._bucket}/{key}"):
            document = json.loads(body.read())
        check_document(name, document, closed=False)
        return document


class OpenLineageBackend:
    """Whatever the client's settings name: HTTP, a file, Kafka, several.

    Each event has a client of its own: one that sends in the background is closed before the
    message counts as taken, and a function that sleeps between two messages holds no connection.
    """

    def tell(self, event: RunEvent) -> None:
        """Raises Refused when the backend says that the event is wrong, else Transient."""
        what = f"{event.eventType.value if event.eventType else 'event'} of run {event.run.runId}"
        try:
            client = OpenLineageClient(config=dict(OURS))
            client.emit(event)
            taken = client.close(DELIVERY_SECONDS)
        except Exception as error:
            said = error.response if isinstance(error, requests.HTTPError) else None
            if said is not None and said.status_code in NEVER_TAKEN:
                raise Refused(
                    f"the lineage backend refuses {what}: {error}: {said.text[:SHOWN_CHARACTERS]}"
                ) from error
            raise Transient(f"the lineage backend did not take {what}: {error}") from error
        if not taken:
            raise Transient(
                f"the lineage backend did not take {what} within {DELIVERY_SECONDS} seconds"
            )


def backend_if_any() -> OpenLineageBackend | None:
    """The backend that the client's settings name; None without, or when they switch it off.

    The client itself would print events where nothing is named, and say so in the log each time.
    Raises PipelineError when the settings cannot be read.
    """
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    try:
        transport = OpenLineageClient(transport=NoopTransport(NoopConfig())).config.transport
    except ValueError as error:
        raise PipelineError(f"the settings of OpenLineage cannot be read: {error}") from error
    if transport and not isinstance(transport, dict):
        raise PipelineError(
            "OPENLINEAGE__TRANSPORT is no JSON object such as "
            '{"type": "http", "url": "http://localhost:5000"}'
        )
    named = (transport or {}).get("type") or os.environ.get("OPENLINEAGE_URL")
    return OpenLineageBackend() if named else None
