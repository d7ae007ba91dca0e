"""The stores of a transformer on a MiniStack: buckets, tables and a database, by name."""

from collections.abc import Sequence
from typing import Any

import boto3

from infra.environments import LOCAL_REGION
from services.runtime.event_store.dynamodb import CORRELATION_INDEX
from services.transformer.engines.port import EngineName
from services.transformer.settings import Settings
from tests.support.transforming import (
    DATA_BUCKET,
    KEYS,
    WAREHOUSE_BUCKET,
    Workbench,
    cloud_workbench,
)

SPARK_MEMORY_MB = 2048


def make_buckets() -> None:
    """The data bucket, versioned, and the warehouse."""
    s3 = boto3.client("s3")
    for bucket in (DATA_BUCKET, WAREHOUSE_BUCKET):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=DATA_BUCKET, VersioningConfiguration={"Status": "Enabled"})


def make_stores(name: str) -> None:
    """Tables and a database that belong to one transformer alone."""
    dynamodb = boto3.client("dynamodb")
    for table, keys in KEYS.items():
        _make_table(dynamodb, f"{name}-{table}", [(key, "S") for key in keys])
    index = {
        "IndexName": CORRELATION_INDEX,
        "KeySchema": _keys(["correlation_id", "occurred_at"]),
        "Projection": {"ProjectionType": "ALL"},
    }
    streams = [("stream_id", "S"), ("stream_version", "N")]
    indexed = [("correlation_id", "S"), ("occurred_at", "S")]
    _make_table(dynamodb, f"{name}-EventStore", streams, indexed, GlobalSecondaryIndexes=[index])
    boto3.client("glue").create_database(
        DatabaseInput={"Name": name, "LocationUri": f"s3://{WAREHOUSE_BUCKET}/facts/{name}"}
    )


def settings_on(name: str, **more: Any) -> Settings:
    """What a transformer on the stores of that name is started with."""
    return Settings(
        AWS_REGION=LOCAL_REGION,
        event_store_table=f"{name}-EventStore",
        warehouse_bucket=WAREHOUSE_BUCKET,
        command_queue_url="none",
        lock_queue_url="none",
        state_table=f"{name}-TransformerState",
        order_kpis_table=f"{name}-OrderKPIs",
        category_kpis_table=f"{name}-CategoryKPIs",
        glue_database=name,
        **more,
    )


def workbench_on(
    endpoint: str, name: str, engine: EngineName, spark_memory_mb: int = SPARK_MEMORY_MB
) -> Workbench:
    """A process of its own on those stores; more than one may be at work there."""
    settings = settings_on(
        name, aws_endpoint_url=endpoint, transform_engine=engine, spark_memory_mb=spark_memory_mb
    )
    clients = {service: boto3.client(service) for service in ("dynamodb", "s3")}
    return cloud_workbench(clients, settings)


def _make_table(
    dynamodb: Any,
    name: str,
    keys: Sequence[tuple[str, str]],
    indexed: Sequence[tuple[str, str]] = (),
    **more: Any,
) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": kind} for key, kind in (*keys, *indexed)
        ],
        KeySchema=_keys([key for key, _ in keys]),
        **more,
    )


def _keys(names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind}
        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
    ]
