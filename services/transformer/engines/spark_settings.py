"""How much of Spark a batch gets, by its volume: on this machine and on EMR Serverless."""

from collections.abc import Mapping
from dataclasses import dataclass

BYTES_PER_PARTITION = 16_000_000
"""Staged Parquet per shuffle partition; zstd unpacks it to some 100 MB."""
MAX_PARTITIONS = 200
BYTES_PER_EXECUTOR = 512_000_000
"""Declared input (CSV) per executor."""
EXECUTOR_CORES = 4
EXECUTOR_MEMORY_GB = 12
"""With Spark's overhead of a tenth a worker of 4 vCPU and 14 GB; EMR Serverless allows 8 to 30."""
DRIVER_CORES = 4
DRIVER_MEMORY_GB = (8, 20)
"""Smallest and largest; the driver checks every staged file and collects the KPIs."""


@dataclass(frozen=True)
class ClusterSize:
    """What one job on EMR Serverless may take."""

    executors: int
    driver_memory_gb: int

    def as_spark(self) -> Mapping[str, str]:
        """The settings of spark-submit; the count is fixed, for the volume is known beforehand."""
        return {
            "spark.driver.cores": str(DRIVER_CORES),
            "spark.driver.memory": f"{self.driver_memory_gb}g",
            "spark.dynamicAllocation.enabled": "false",
            "spark.executor.cores": str(EXECUTOR_CORES),
            "spark.executor.instances": str(self.executors),
            "spark.executor.memory": f"{EXECUTOR_MEMORY_GB}g",
        }


def shuffle_partitions(staged_bytes: int, cores: int) -> int:
    """How many partitions a batch of so many bytes of staged Parquet is shuffled into."""
    by_size = -(-staged_bytes // BYTES_PER_PARTITION)
    return max(cores, min(by_size, MAX_PARTITIONS))


def cluster_for(input_bytes: int, max_executors: int) -> ClusterSize:
    """The cluster for a batch of so many bytes of declared input; never without an executor."""
    smallest, largest = DRIVER_MEMORY_GB
    return ClusterSize(
        executors=max(1, min(-(-input_bytes // BYTES_PER_EXECUTOR), max_executors)),
        driver_memory_gb=min(smallest + input_bytes // 1_000_000_000, largest),
    )
