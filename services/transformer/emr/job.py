"""The driver of a job on EMR Serverless: one TransformBatch command, answered in S3."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contracts.messages import TransformBatch
from services.runtime.storage.documents import ObjectStore
from services.transformer.batch.state import Ports
from services.transformer.batch.transform import transform_batch
from services.transformer.emr.runner import answer_key
from services.transformer.settings import Settings
from services.transformer.worker import ports_on_aws


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
    answer(command, reason, prefix, ports, ports.objects)


if __name__ == "__main__":
    main(sys.argv[1:])
