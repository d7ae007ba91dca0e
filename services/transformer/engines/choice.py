"""Which engine computes a batch, and why: pure decisions."""

from services.transformer.engines.port import EngineName

MEGABYTE = 1_000_000


def choose_engine(
    wanted: str, size_bytes: int, threshold_mb: int, *, spark_is_here: bool
) -> tuple[EngineName, str]:
    """The engine and why; `wanted` is TRANSFORM_ENGINE (auto, duckdb or spark).

    `size_bytes` is the declared size of the batch's inputs.
    """
    if wanted == "duckdb":
        return "duckdb", "TRANSFORM_ENGINE=duckdb"
    if wanted == "spark":
        return "spark", "TRANSFORM_ENGINE=spark"
    megabytes = size_bytes / MEGABYTE
    if megabytes < threshold_mb:
        return "duckdb", f"{megabytes:.1f} MB of input is under SPARK_THRESHOLD_MB={threshold_mb}"
    if not spark_is_here:
        return "duckdb", f"{megabytes:.1f} MB of input, but Spark or Java is not installed here"
    return "spark", f"{megabytes:.1f} MB of input is not under SPARK_THRESHOLD_MB={threshold_mb}"


def engine_to_finish(made_by: EngineName, *, spark_is_here: bool) -> EngineName:
    """The engine for a publication that broke off: the one that computed it, if it can start.

    What Spark computed may be too much for DuckDB's memory; where there is no Spark it must try.
    """
    return made_by if spark_is_here else "duckdb"
