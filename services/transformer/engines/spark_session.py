"""The Spark session: all its settings, and the versions of the Iceberg jars, in one place."""

import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.transformer.settings import Settings

ICEBERG = "1.12.0"
PACKAGES = (
    f"org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:{ICEBERG}",
    f"org.apache.iceberg:iceberg-aws-bundle:{ICEBERG}",
)
HADOOP, AWS_SDK = "3.4.2", "2.54.17"
"""Of the pinned Spark, and of the Iceberg bundle, which has the rest of the SDK."""
S3_PACKAGES = (
    f"org.apache.hadoop:hadoop-aws:{HADOOP}",
    *(
        f"software.amazon.awssdk:{part}:{AWS_SDK}"
        for part in ("apache-client", "s3-transfer-manager")
    ),
)
"""How the executors of a cluster read staged files; EMR has its own way, one process has disks."""
TOO_MUCH = ("software.amazon.awssdk:bundle", "software.amazon.s3.analyticsaccelerator:*")
"""What hadoop-aws would bring along: 600 MB of the SDK once more."""
CATALOG = "facts"
LOOPBACK = "127.0.0.1"
SMALL_PAGES = "2m"
"""Each of many small sorts and joins takes a page at least. Spark's own choice for a heap of 2 GB
is 32 MB: a batch of ten rows found no room."""
EVENT_LOGS_KEPT = 20


def new_session(settings: Settings) -> Any:
    """Start Spark in this process, or get the one that runs; takes some seconds."""
    from pyspark.sql import SparkSession

    logging.getLogger("py4j").setLevel(logging.WARNING)
    _forget_a_dead_one()
    if settings.spark_event_log_dir:
        make_room_for_event_log(Path(settings.spark_event_log_dir))
    builder = SparkSession.builder.appName("ecommerce-transformer")
    if not settings.spark_submitted:
        builder = builder.master(settings.spark_master)
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
    endpoints = {}
    if settings.aws_endpoint_url:
        endpoints = {
            f"{catalog}.glue.endpoint": settings.aws_endpoint_url,
            f"{catalog}.s3.endpoint": settings.aws_endpoint_url,
            f"{catalog}.s3.path-style-access": "true",
        }
    return {
        **_jars(settings),
        **_where(settings),
        **_event_log(settings),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.debug.maxToStringFields": "200",
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
        **settings.spark_conf,
    }


def _jars(settings: Settings) -> Mapping[str, str]:
    if settings.spark_jars:
        return {"spark.jars": settings.spark_jars}
    if settings.spark_is_elsewhere and not settings.spark_submitted:
        return {
            "spark.jars.packages": ",".join((*PACKAGES, *S3_PACKAGES)),
            "spark.jars.excludes": ",".join(TOO_MUCH),
        }
    return {"spark.jars.packages": ",".join(PACKAGES)}


def _where(settings: Settings) -> Mapping[str, str]:
    """What a submitted driver has from spark-submit, and EMR sets for S3."""
    if settings.spark_submitted:
        return {}
    if settings.spark_is_elsewhere:
        return _on_a_cluster(settings)
    return _on_this_machine(settings)


def _on_a_cluster(settings: Settings) -> Mapping[str, str]:
    """Staged files are named `s3://`, for EMR; elsewhere Hadoop's own client reads them."""
    s3 = "spark.hadoop.fs.s3a"
    endpoints = {}
    if settings.aws_endpoint_url:
        endpoints = {
            f"{s3}.endpoint": settings.aws_endpoint_url,
            f"{s3}.path.style.access": "true",
            f"{s3}.connection.ssl.enabled": str(
                settings.aws_endpoint_url.startswith("https:")
            ).lower(),
        }
    return {
        "spark.driver.memory": f"{settings.spark_memory_mb}m",
        "spark.buffer.pageSize": SMALL_PAGES,
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/spark-warehouse",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        f"{s3}.aws.credentials.provider": (
            "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
        ),
        f"{s3}.endpoint.region": settings.aws_region,
        **endpoints,
    }


def _on_this_machine(settings: Settings) -> Mapping[str, str]:
    """What holds only where driver and executors are one process here."""
    return {
        "spark.driver.memory": f"{settings.spark_memory_mb}m",
        "spark.buffer.pageSize": SMALL_PAGES,
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.local.dir": tempfile.gettempdir(),
        # Spark makes this folder though nothing is kept there; the working directory is read-only.
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/spark-warehouse",
    }


def _event_log(settings: Settings) -> Mapping[str, str]:
    """Off where SPARK_EVENT_LOG_DIR is empty; EMR Serverless keeps its own."""
    if not settings.spark_event_log_dir:
        return {}
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": Path(settings.spark_event_log_dir).resolve().as_uri(),
        "spark.eventLog.rolling.enabled": "true",
        "spark.eventLog.rolling.maxFileSize": "16m",
    }


def make_room_for_event_log(folder: Path, kept: int = EVENT_LOGS_KEPT) -> None:
    """Make the folder, which Spark wants to find, and remove all but the newest logs in it."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = sorted(folder.glob("eventlog_v2_*"), key=lambda log: log.stat().st_mtime)
    for log in logs[: max(0, len(logs) - kept)]:
        shutil.rmtree(log)


def fetch_jars(folder: str) -> None:
    """Have Spark fetch the Iceberg jars into `<folder>/jars`, where SPARK_JARS can name them."""
    from pyspark.sql import SparkSession

    SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
        "spark.jars.packages", ",".join(PACKAGES)
    ).config("spark.jars.ivy", folder).getOrCreate().stop()


if __name__ == "__main__":
    fetch_jars(sys.argv[1])
