"""The environment of the transformer, as template.yaml sets it."""

from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """Read from environment variables of the same names in capitals."""

    aws_region: str = Field(
        "us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    aws_endpoint_url: str | None = None
    event_store_table: str
    warehouse_bucket: str
    command_queue_url: str
    lock_queue_url: str
    state_table: str
    category_kpis_table: str
    order_kpis_table: str
    glue_database: str = "ecommerce"
    transform_engine: Literal["auto", "duckdb", "spark"] = "auto"
    spark_threshold_mb: int = 256
    duckdb_memory_mb: int = 2048
    spark_memory_mb: int = 2048
    spark_jars: str = ""
    heartbeat_seconds: float = 5.0
    idle_exit_seconds: float = 0.0

    @property
    def warehouse(self) -> str:
        """Where the facts tables lie."""
        return f"s3://{self.warehouse_bucket}/facts"
