"""Files and tables as datasets of OpenLineage, with what is known of them as facets.

Names are those of the standard's naming conventions (openlineage.io/docs/spec/naming): a file is
`s3://BUCKET` and its key, a table `arn:aws:glue:REGION:ACCOUNT` and `table/DATABASE/TABLE`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    data_quality_assertions_dataset,
    data_quality_metrics_input_dataset,
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
    storage_dataset,
)
from openlineage.client.naming.dataset import S3, AWSGlue

from contracts.file_contracts import file_contract
from contracts.messages import BatchResult, FileReport, FileResult, ManifestFile, ObjectRef
from services.lineage.tables import COLUMNS

Assertion = data_quality_assertions_dataset.Assertion
Assertions = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
Metrics = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet
Read = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
Written = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
Version = dataset_version_dataset.DatasetVersionDatasetFacet
Storage = storage_dataset.StorageDatasetFacet
Schema = schema_dataset.SchemaDatasetFacet
Column = schema_dataset.SchemaDatasetFacetFields


@dataclass(frozen=True)
class Found:
    """What was found in one file; rows_in = accepted + quarantined + duplicates + left_out."""

    rejected: bool
    reason: str | None
    rows_in: int
    accepted: int
    quarantined: int
    duplicates: int
    left_out: int

    @classmethod
    def by(cls, says: FileResult | FileReport) -> "Found":
        """What a batch's result, or the validator's report, says of a file."""
        return cls(
            rejected=says.status == "rejected",
            reason=says.reason,
            rows_in=says.rows_in,
            accepted=says.accepted,
            quarantined=says.quarantined,
            duplicates=says.duplicates,
            left_out=sum(says.left_out.values()),
        )


def file_dataset(bucket: str, file: ManifestFile, found: Found | None) -> InputDataset:
    """One input at its pinned version; its columns where a file contract says them."""
    dataset = _at_version(bucket, file.key, file.version_id)
    dataset.facets = dict(dataset.facets or {})
    if file.source is None:
        fields = file_contract(file.kind).fields
        described = ((each.name, each.type, each.description) for each in fields)
        dataset.facets["schema"] = _schema(described)
    dataset.inputFacets = dict(_quality(file.size_bytes, found))
    return dataset


def lookup_dataset(ref: ObjectRef) -> InputDataset:
    """A file that a source looks values up in."""
    return _at_version(ref.bucket, ref.key, ref.version_id)


def table_datasets(
    region: str, account: str, database: str, result: BatchResult
) -> list[OutputDataset]:
    """The published tables, each at the snapshot that the batch made."""
    rows = {
        "order_kpis": result.published.order_kpis,
        "category_kpis": result.published.category_kpis,
    }
    return [
        _table((region, account, database, name), result.snapshots[name], rows.get(name))
        for name in COLUMNS
        if name in result.snapshots
    ]


def _at_version(bucket: str, key: str, version_id: str) -> InputDataset:
    name = S3(bucket, key)
    facets: dict[str, DatasetFacet] = {
        "version": Version(version_id),
        "storage": Storage("s3", "csv"),
    }
    return InputDataset(name.get_namespace(), name.get_name(), facets=facets)


def _quality(size_bytes: int, found: Found | None) -> Mapping[str, InputDatasetFacet]:
    rows = found.rows_in if found else None
    read = Read(rowCount=rows, size=size_bytes, fileCount=1)
    if found is None:
        return {"inputStatistics": read}
    return {
        "inputStatistics": read,
        "dataQualityMetrics": Metrics({}, rowCount=rows, bytes=size_bytes, fileCount=1),
        "dataQualityAssertions": Assertions(_assertions(found)),
    }


def _assertions(found: Found) -> list[Assertion]:
    return [
        Assertion(
            assertion="file_accepted",
            success=not found.rejected,
            severity="error",
            description="The file as a whole can be used.",
            expected="accepted",
            actual=(found.reason or "rejected") if found.rejected else "accepted",
        ),
        Assertion(
            assertion="no_row_quarantined",
            success=not found.quarantined,
            severity="warn",
            description="Each row keeps its file contract.",
            expected="0",
            actual=str(found.quarantined),
            params={
                "rows_in": found.rows_in,
                "accepted": found.accepted,
                "quarantined": found.quarantined,
                "duplicates": found.duplicates,
                "left_out": found.left_out,
            },
        ),
    ]


def _table(place: tuple[str, str, str, str], snapshot_id: str, rows: int | None) -> OutputDataset:
    """`place`: region, account, database and table."""
    name, table = AWSGlue(*place), place[-1]
    dataset = OutputDataset(name.get_namespace(), name.get_name())
    dataset.facets = {
        "version": Version(snapshot_id),
        "storage": Storage("iceberg", "parquet"),
        "schema": _schema((column, of, None) for column, of in COLUMNS[table].items()),
    }
    if rows is not None:
        dataset.outputFacets = {"outputStatistics": Written(rows)}
    return dataset


def _schema(columns: Iterable[tuple[str, str, str | None]]) -> DatasetFacet:
    """By name, type and description, in order."""
    return Schema(
        [
            Column(name=name, type=of, description=description, ordinal_position=position)
            for position, (name, of, description) in enumerate(columns, start=1)
        ]
    )
