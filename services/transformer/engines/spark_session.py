"""The Spark session: all its settings, and the versions of the Iceberg jars, in one place."""

import logging
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from services.transformer.settings import Settings

ICEBERG = "1.12.0"
PACKAGES = (
    f"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:{ICEBERG}",
    f"org.apache.iceberg:iceberg-aws-bundle:{ICEBERG}",
)
CATALOG = "facts"
LOOPBACK = "127.0.0.1"
BYTES_PER_PARTITION = 16_000_000
"""Staged Parquet per shuffle partition; zstd unpacks it to some 100 MB."""
MAX_PARTITIONS = 200


def new_session(settings: Settings) -> Any:
    """Start Spark in this process, or get the one that runs; takes some seconds."""
    from pyspark.sql import SparkSession

    logging.getLogger("py4j").setLevel(logging.WARNING)
    _forget_a_dead_one()
    builder = SparkSession.builder.appName("ecommerce-transformer").master("local[*]")
    for name, value in session_settings(settings).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def is_alive(spark: Any) -> bool:
    """Whether the Java process behind a session still answers."""
    return _answers(spark.sparkContext)


def _answers(context: Any) -> bool:
    from py4j.protocol import Py4JError

    try:
        return not context._jsc.sc().isStopped()
    except (AttributeError, OSError, Py4JError):
        return False


def _forget_a_dead_one() -> None:
    """PySpark keeps the way to its Java process for good, even when that has died."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    context = SparkContext._active_spark_context
    if context is not None and not _answers(context):
        SparkContext._active_spark_context = SparkContext._gateway = SparkContext._jvm = None
        SparkSession._instantiatedSession = None


def session_settings(settings: Settings) -> Mapping[str, str]:
    """What the session is started with; jars are fetched once, unless SPARK_JARS names them."""
    catalog = f"spark.sql.catalog.{CATALOG}"
    jars = (
        {"spark.jars": settings.spark_jars}
        if settings.spark_jars
        else {"spark.jars.packages": ",".join(PACKAGES)}
    )
    endpoints = {}
    if settings.aws_endpoint_url:
        endpoints = {
            f"{catalog}.glue.endpoint": settings.aws_endpoint_url,
            f"{catalog}.s3.endpoint": settings.aws_endpoint_url,
            f"{catalog}.s3.path-style-access": "true",
        }
    return {
        **jars,
        "spark.driver.memory": f"{settings.spark_memory_mb}m",
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.debug.maxToStringFields": "200",
        "spark.local.dir": tempfile.gettempdir(),
        # Spark makes this folder though nothing is kept there; the working directory is read-only.
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/spark-warehouse",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.extensions": (
            "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        ),
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.client.region": settings.aws_region,
        f"{catalog}.warehouse": settings.warehouse,
        # The other writer is another process: a table in hand may be older than the catalog's.
        f"{catalog}.cache-enabled": "false",
        **endpoints,
    }


def shuffle_partitions(staged_bytes: int, cores: int) -> int:
    """How many partitions a batch of so many bytes of staged Parquet is shuffled into."""
    by_size = -(-staged_bytes // BYTES_PER_PARTITION)
    return max(cores, min(by_size, MAX_PARTITIONS))


def fetch_jars(folder: str) -> None:
    """Have Spark fetch the Iceberg jars into `<folder>/jars`, where SPARK_JARS can name them."""
    from pyspark.sql import SparkSession

    SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
        "spark.jars.packages", ",".join(PACKAGES)
    ).config("spark.jars.ivy", folder).getOrCreate().stop()


if __name__ == "__main__":
    fetch_jars(sys.argv[1])
