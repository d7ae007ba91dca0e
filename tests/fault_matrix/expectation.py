"""What a batch leaves: files, reconciliation, KPIs and facts, so that two runs can be compared."""

import io
import re
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from infra.ecp.kpis.facts import PublishedFacts, compare_all
from infra.ecp.target import Target
from tests.fault_matrix.stand import Stand
from tests.model import ShopModel
from tests.support.pipeline import ARCHIVE_BUCKET, DATA_BUCKET, Pipeline
from tests.support.standing import assert_kpis_equal

COUNTS = ("kind", "status", "rows_in", "accepted", "quarantined", "duplicates", "reason")


@dataclass(frozen=True)
class Left:
    """What a batch of a shop called `name` left, without its id and its name."""

    archived: tuple[str, ...]
    staged: tuple[str, ...]
    quarantined: tuple[tuple[int, str, str], ...]
    inputs: tuple[str, ...]
    reconciliation: tuple[tuple[Any, ...], ...]
    waiting: int
    published: tuple[tuple[str, int], ...]

    def differences(self, other: "Left") -> list[str]:
        """Each part that is not the same, both ways."""
        return [
            f"{part}: {getattr(self, part)} instead of {getattr(other, part)}"
            for part in self.__dataclass_fields__
            if getattr(self, part) != getattr(other, part)
        ]


def left_by(pipeline: Pipeline, name: str, batch_id: str) -> Left:
    """Look at everything that the batch left."""
    result = pipeline.result(batch_id)

    def plain(keys: list[str]) -> tuple[str, ...]:
        """Without what differs by batch: ids, names, and the order in which S3 took the files."""
        named = (key.replace(batch_id, "BATCH").replace(name, "NAME") for key in keys)
        return tuple(sorted(re.sub(r"/\d{4}\.", "/NNNN.", key) for key in named))

    return Left(
        archived=plain(pipeline.keys(ARCHIVE_BUCKET, f"archive/{batch_id}/")),
        staged=plain(pipeline.keys(DATA_BUCKET, f"processing/{batch_id}/")),
        quarantined=_quarantined(pipeline, batch_id),
        inputs=plain(
            [
                key
                for kind in ("orders", "order_items", "products")
                for key in pipeline.keys(DATA_BUCKET, f"{kind}/{name}.csv")
            ]
        ),
        reconciliation=tuple(
            tuple(file.get(count) for count in COUNTS)
            for file in sorted(result["files"], key=lambda file: str(file["kind"]))
        ),
        waiting=result["waiting_order_items"],
        published=tuple(sorted(result["published"].items())),
    )


def wrong_numbers(stand: Stand, model: ShopModel) -> list[str]:
    """Where KPIs are not the model's, or the facts do not give the KPIs."""
    faults = []
    try:
        assert_kpis_equal(stand.direct, model)
    except AssertionError as difference:
        faults.append(f"KPIs are not the model's: {str(difference)[:1500]}")
    cloud = Target(stand.direct.environment, "the matrix")
    compared = compare_all(PublishedFacts(cloud.facts, cloud.client("dynamodb")))
    faults += [f"facts and KPIs differ: {item}" for item in compared["items"]]
    return faults


def _quarantined(pipeline: Pipeline, batch_id: str) -> tuple[tuple[int, str, str], ...]:
    rows = []
    for key in pipeline.keys(DATA_BUCKET, f"quarantine/{batch_id}/rows/"):
        body = pipeline.client("s3").get_object(Bucket=DATA_BUCKET, Key=key)["Body"].read()
        rows += pq.read_table(io.BytesIO(body)).to_pylist()
    return tuple(sorted((row["line"], row["column"], row["rule"]) for row in rows))
