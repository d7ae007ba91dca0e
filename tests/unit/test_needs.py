"""Whether a suite that the machine cannot run is skipped or fails."""

import pytest

from tests.support.needs import announcement, java_lacks, verdict


@pytest.mark.parametrize(
    ("lack", "environment", "expected"),
    [
        (None, {}, "run"),
        (None, {"CI": "true"}, "run"),
        ("Java 17 is missing", {}, "skip"),
        ("Java 17 is missing", {"CI": "false"}, "skip"),
        ("Java 17 is missing", {"CI": "true"}, "fail"),
    ],
)
def test_a_suite_is_skipped_for_people_and_fails_in_ci(
    lack: str | None, environment: dict[str, str], expected: str
) -> None:
    assert verdict(lack, environment) == expected


@pytest.mark.parametrize(
    ("said", "lack"),
    [
        ('openjdk version "17.0.15" 2025-04-15', None),
        ('openjdk version "21" 2023-09-19', None),
        ('java version "1.8.0_402"', "Java 17 is missing; this is Java 8"),
        ("The operation could not be completed: no Java runtime", "Java 17 is missing"),
        (None, "Java 17 is missing"),
    ],
)
def test_spark_takes_java_17_or_newer(said: str | None, lack: str | None) -> None:
    assert java_lacks(said) == lack


def test_what_was_not_run_is_said_loudly() -> None:
    said = announcement("spark", "Java 17 is missing")
    assert said == "SPARK SUITES NOT RUN: Java 17 is missing"
