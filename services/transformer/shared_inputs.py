"""Staged inputs where every executor of a cluster can read them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from contracts.layout import PROCESSING_PREFIX
from contracts.messages import BatchManifest, FileReport
from services.runtime.storage.aws import translated
from services.transformer.batch.reconciliation import kinds_of
from services.transformer.batch.state import StagedInputs
from services.transformer.engines.port import StagedFile


class SharedInputs:
    """The checked files, copied under the batch's prefix.

    A staged file is pinned by version, which Spark cannot name; under a key that is made of its
    content it can, and attempts side by side write the same.
    """

    def __init__(self, inputs: StagedInputs, s3: Any) -> None:
        self._inputs, self._s3 = inputs, s3

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        """As of the inputs within."""
        return self._inputs.reports(manifest)

    @contextmanager
    def fetch(self, reports: Mapping[int, FileReport]) -> Iterator[list[StagedFile]]:
        """As of the inputs within, with `shared_uri`; the copies expire with the batch's files."""
        with self._inputs.fetch(reports) as files:
            yield [self._shared(reports[file.file_index], file) for file in files]

    def _shared(self, report: FileReport, file: StagedFile) -> StagedFile:
        [staged] = [
            found.staged
            for found in kinds_of(report)
            if found.kind == file.kind and found.staged is not None
        ]
        folder = f"{PROCESSING_PREFIX}{report.batch_id}/shared/{staged.sha256}/"
        uri = f"s3://{staged.bucket}/{folder}{file.path.name}"
        with translated(uri):
            self._s3.upload_file(str(file.path), staged.bucket, f"{folder}{file.path.name}")
        return replace(file, shared_uri=uri)
