"""The environment of the transformer, as template.yaml sets it."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """Read from environment variables of the same names in capitals."""

    aws_region: str = Field(
        "us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    aws_endpoint_url: str | None = None
    event_store_table: str
    warehouse_bucket: str
    data_bucket: str = ""
    archive_bucket: str = ""
    command_queue_url: str
    lock_queue_url: str
    state_table: str
    category_kpis_table: str
    order_kpis_table: str
    glue_database: str = "ecommerce"
    rotation_secret_id: str = ""
    transform_engine: Literal["auto", "duckdb", "spark"] = "auto"
    spark_threshold_mb: int = 1280
    duckdb_memory_mb: int = 2048
    spark_memory_mb: int = 2048
    spark_jars: str = ""
    spark_master: str = "local[*]"
    """Of a cluster (`spark://host:7077`), whose executors read and write S3 alone."""
    spark_conf: dict[str, str] = {}
    """More settings of a session, as JSON; they stand over ours."""
    spark_submitted: bool = False
    """Whether this process is the driver of a job, which has its master from spark-submit."""
    spark_event_log_dir: str = ""
    spark_target: Literal["local", "emr-serverless"] = "local"
    emr_application_id: str = ""
    emr_job_role_arn: str = ""
    emr_code_uri: str = ""
    """Of the job's entry point and archive, without `.py` and `.zip`; put there by the deployer."""
    emr_log_uri: str = ""
    emr_jars: str = "/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar"
    """Iceberg as the release has it (EMR Serverless user guide): a job reaches no Maven."""
    emr_python: str = "python3.11"
    """Of those that the release has, the one that the archive's packages are for."""
    emr_max_executors: int = Field(8, ge=1)
    emr_timeout_minutes: int = Field(60, ge=5)
    heartbeat_seconds: float = 5.0
    transform_batch_deadline_seconds: float = 14_400
    abandon_batch_deadline_seconds: float = 3_600
    upkeep_deadline_seconds: float = 14_400
    explain_deadline_seconds: float = 300

    @model_validator(mode="after")
    def _emr_settings_are_complete(self) -> Self:
        """A job that cannot be submitted is found out at the start, not with the first batch."""
        needed = ("emr_application_id", "emr_job_role_arn", "emr_code_uri", "emr_log_uri")
        missing = [name.upper() for name in needed if not getattr(self, name)]
        if self.spark_target == "emr-serverless" and missing:
            raise ValueError(f"SPARK_TARGET=emr-serverless needs {', '.join(missing)}; set them")
        return self

    @property
    def deadline_seconds(self) -> Mapping[str, float]:
        """How long a message may be in hand: after that the saga waits for it no more.

        For the work between two batches no saga waits; it is given as long as a batch. Who asks
        what a number is made of asks again.
        """
        return {
            "TransformBatch": self.transform_batch_deadline_seconds,
            "AbandonBatch": self.abandon_batch_deadline_seconds,
            "RebuildKpis": self.upkeep_deadline_seconds,
            "MaintainFacts": self.upkeep_deadline_seconds,
            "EraseFromFacts": self.upkeep_deadline_seconds,
            "RekeyFacts": self.upkeep_deadline_seconds,
            "AdmitFence": self.upkeep_deadline_seconds,
            "ExplainKpi": self.explain_deadline_seconds,
            "CompareBatch": self.explain_deadline_seconds,
            "ListWaiting": self.explain_deadline_seconds,
        }

    @property
    def spark_is_elsewhere(self) -> bool:
        """Whether executors are processes that see no file of this one, and may die alone."""
        return self.spark_submitted or not self.spark_master.startswith("local")

    @property
    def warehouse(self) -> str:
        """Where the facts tables lie."""
        return f"s3://{self.warehouse_bucket}/facts"
