"""Which engine computes a batch, and the reason that its result tells."""

import pytest

from services.transformer.engines.choice import choose_engine, engine_to_finish
from services.transformer.engines.port import EngineName

THRESHOLD_MB = 256


@pytest.mark.parametrize(
    ("wanted", "megabytes", "spark_is_here", "engine", "reason"),
    [
        ("auto", 255, True, "duckdb", "255.0 MB of input is under SPARK_THRESHOLD_MB=256"),
        ("auto", 256, True, "spark", "256.0 MB of input is not under SPARK_THRESHOLD_MB=256"),
        ("auto", 256, False, "duckdb", "256.0 MB of input, but Spark or Java is not installed"),
        ("duckdb", 9_999, True, "duckdb", "TRANSFORM_ENGINE=duckdb"),
        ("spark", 0, False, "spark", "TRANSFORM_ENGINE=spark"),
    ],
)
def test_the_engine_is_chosen_and_the_reason_told(
    wanted: str, megabytes: int, spark_is_here: bool, engine: str, reason: str
) -> None:
    size_bytes = megabytes * 1_000_000
    chosen, why = choose_engine(wanted, size_bytes, THRESHOLD_MB, spark_is_here=spark_is_here)
    assert chosen == engine
    assert why.startswith(reason)


@pytest.mark.parametrize(
    ("made_by", "spark_is_here", "engine"),
    [
        ("spark", True, "spark"),
        ("spark", False, "duckdb"),
        ("duckdb", True, "duckdb"),
        ("duckdb", False, "duckdb"),
    ],
)
def test_what_broke_off_is_finished_by_the_engine_that_began_it_where_it_can(
    made_by: EngineName, spark_is_here: bool, engine: str
) -> None:
    assert engine_to_finish(made_by, spark_is_here=spark_is_here) == engine
