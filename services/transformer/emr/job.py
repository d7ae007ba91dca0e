"""The driver of a job on EMR Serverless: one TransformBatch command, answered in S3."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from contracts.messages import BatchManifest, FileReport, TransformBatch
from services.runtime.storage.aws import client, translated
from services.runtime.storage.documents import ObjectStore
from services.transformer.batch.state import Ports, StagedInputs
from services.transformer.batch.transform import transform_batch
from services.transformer.emr.runner import answer_key
from services.transformer.engines.port import StagedFile
from services.transformer.settings import Settings
from services.transformer.worker import ports_on_aws


class SharedInputs:
    """Staged inputs that every executor can read: the checked files, copied beside the answer.

    A staged file is pinned by version, which Spark cannot name; under its own key it can.
    """

    def __init__(self, inputs: StagedInputs, s3: Any, bucket: str, prefix: str) -> None:
        self._inputs, self._s3, self._bucket, self._prefix = inputs, s3, bucket, prefix

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        """As of the inputs within."""
        return self._inputs.reports(manifest)

    @contextmanager
    def fetch(self, reports: Mapping[int, FileReport]) -> Iterator[list[StagedFile]]:
        """As of the inputs within, with `shared_uri`; the copies expire with the batch's files."""
        with self._inputs.fetch(reports) as files:
            yield [self._shared(file) for file in files]

    def _shared(self, file: StagedFile) -> StagedFile:
        key = f"{self._prefix}{file.path.name}"
        with translated(f"s3://{self._bucket}/{key}"):
            self._s3.upload_file(str(file.path), self._bucket, key)
        return replace(file, shared_uri=f"s3://{self._bucket}/{key}")


def answer(
    command: TransformBatch, reason: str, prefix: str, ports: Ports, objects: ObjectStore
) -> None:
    """Run the use case and write how it went; a fault is also raised, so that the job fails."""

    def write(document: Mapping[str, Any]) -> None:
        objects.put_json(command.manifest.bucket, answer_key(prefix), document)

    try:
        result = transform_batch(command, replace(ports, decided=("spark", reason)))
    except Exception as error:
        write({"error": type(error).__name__, "text": str(error)})
        raise
    write({"answer": result})


def main(arguments: list[str]) -> None:
    """`<TransformBatch as JSON> <why Spark> <prefix of the job's own objects>`."""
    command_text, reason, prefix = arguments
    command = TransformBatch.model_validate_json(command_text)
    settings = Settings()
    ports = ports_on_aws(settings)
    if settings.spark_is_elsewhere:
        inputs = SharedInputs(ports.inputs, client("s3"), command.manifest.bucket, prefix)
        ports = replace(ports, inputs=inputs)
    answer(command, reason, prefix, ports, ports.objects)


if __name__ == "__main__":
    main(sys.argv[1:])
