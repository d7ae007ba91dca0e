"""The ports on AWS: staged inputs in S3, the Glue catalog, and the engines made when needed."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from botocore.exceptions import ClientError
from pyiceberg.catalog import Catalog, load_catalog

from contracts.errors import ContractViolation, PipelineError
from contracts.layout import file_report_key
from contracts.messages import BatchManifest, FileReport, KindReport, ManifestFile
from services.runtime.storage.aws import for_threads, translated
from services.runtime.storage.documents import check_document, sha256_hex
from services.transformer.batch.reconciliation import kinds_of
from services.transformer.engines.duckdb_engine import DuckDBEngine
from services.transformer.engines.port import Engine, EngineName, StagedFile
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.file_io import FILE_IO
from services.transformer.settings import Settings

DOWNLOADS_AT_ONCE = 16
OLDEST_JAVA = 17
"""What Spark 4.1 runs on (its documentation)."""


class S3StagedInputs:
    """FileReports and staged Parquet in the data bucket, on a boto3 `s3` client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="inputs")

    def reports(self, manifest: BatchManifest) -> dict[int, FileReport]:
        """Read the reports side by side; raises ContractViolation for one that is not of the file.

        The key holds one report per file, whichever attempt wrote it last.
        """
        originals = [file for file in manifest.files if file.duplicate_of is None]
        reports = self._threads.map(lambda file: self._report(manifest, file), originals)
        return {file.index: report for file, report in zip(originals, reports, strict=True)}

    @contextmanager
    def fetch(self, reports: Mapping[int, FileReport]) -> Iterator[list[StagedFile]]:
        """Download the pinned versions side by side into a folder that is removed afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="staged-"))
        try:
            staged = [(each, of_kind) for each in reports.values() for of_kind in kinds_of(each)]
            files = self._threads.map(lambda each: self._download(each[0], each[1], folder), staged)
            yield [file for file in files if file]
        finally:
            shutil.rmtree(folder)

    def _report(self, manifest: BatchManifest, file: ManifestFile) -> FileReport:
        key = file_report_key(manifest.batch_id, file.index)
        document = json.loads(self._get(manifest.bucket, key))
        check_document("FileReport", document, closed=False)
        report = FileReport.model_validate(document)
        if (report.key, report.version_id) != (file.key, file.version_id):
            raise ContractViolation(
                f"s3://{manifest.bucket}/{key} reports on {report.key} version "
                f"{report.version_id}, not on {file.key} version {file.version_id}"
            )
        return report

    def _download(self, report: FileReport, found: KindReport, folder: Path) -> StagedFile | None:
        """None where a kind has no rows."""
        ref = found.staged
        if ref is None:
            return None
        content = self._get(ref.bucket, ref.key, VersionId=ref.version_id)
        if sha256_hex(content) != ref.sha256:
            raise ContractViolation(
                f"s3://{ref.bucket}/{ref.key} version {ref.version_id} is not what was staged"
            )
        path = folder / f"{found.kind}-{report.file_index:04d}.parquet"
        path.write_bytes(content)
        rows = pq.read_metadata(path).num_rows
        if rows != found.accepted:
            raise ContractViolation(
                f"s3://{ref.bucket}/{ref.key} holds {rows} rows, its report accepted "
                f"{found.accepted}"
            )
        return StagedFile(
            found.kind, report.file_index, report.key, path, whole_orders=report.whole_orders
        )

    def _get(self, bucket: str, key: str, **version: str) -> bytes:
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key, **version)
        except ClientError as error:
            raise PipelineError(f"s3://{bucket}/{key} cannot be read: {error}") from error
        content: bytes = answer["Body"].read()
        return content


def rotation_keys(client: Any, secret_id: str) -> Callable[[int], bytes]:
    """The key that makes a generation of pseudonyms of the one before, asked of Secrets Manager.

    The secret holds one of them, `{"generation", "key"}`, and never the chain: with it, no id can
    be led to a pseudonym.
    """

    def key_of(generation: int) -> bytes:
        with translated(f"secret {secret_id}"):
            secret = client.get_secret_value(SecretId=secret_id)["SecretString"]
        found = json.loads(secret)
        if found.get("generation") != generation:
            raise PipelineError(
                f"secret {secret_id} holds the key of generation {found.get('generation')}, not of "
                f"{generation}: `ecp privacy rotate-key` puts it there"
            )
        return str(found["key"]).encode()

    return key_of


def glue_catalog(settings: Settings) -> Catalog:
    """The Glue catalog by pyiceberg, which catches its client's own errors on several threads.

    Files go through Arrow's S3 file system.
    """
    properties = {
        "type": "glue",
        "warehouse": settings.warehouse,
        "glue.region": settings.aws_region,
        "s3.region": settings.aws_region,
        "py-io-impl": FILE_IO,
        "glue.skip-archive": "true",
    }
    if settings.aws_endpoint_url:
        properties["glue.endpoint"] = settings.aws_endpoint_url
        properties["s3.endpoint"] = settings.aws_endpoint_url
    catalog = load_catalog("glue", **properties)
    for_threads(catalog.glue)
    return catalog


@cache
def spark_is_here() -> bool:
    """Whether a Spark session could be started on this machine: pyspark and a Java it can use."""
    return find_spec("pyspark") is not None and _java_version() >= OLDEST_JAVA


def _java_version() -> int:
    """The major version of the Java that Spark would take; 0 where there is none."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        return 0
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found else 0


def engines(settings: Settings, facts: FactsCatalog) -> Callable[[EngineName], Engine]:
    """Each engine is made when first asked for, and kept."""
    made: dict[EngineName, Engine] = {}

    def engine_of(name: EngineName) -> Engine:
        if name not in made:
            made[name] = _new_engine(name, settings, facts)
        return made[name]

    return engine_of


def _new_engine(name: EngineName, settings: Settings, facts: FactsCatalog) -> Engine:
    if name == "duckdb":
        return DuckDBEngine(facts, settings.duckdb_memory_mb)
    if not spark_is_here():
        raise PipelineError(
            f"Spark needs pyspark and Java {OLDEST_JAVA} or newer, which are not both here: "
            "install them, or set TRANSFORM_ENGINE=auto"
        )
    from services.transformer.engines.spark_engine import SparkEngine

    return SparkEngine(facts, settings)
