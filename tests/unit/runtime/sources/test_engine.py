"""The database that expressions run in: every door is shut, whatever reaches it."""

from pathlib import Path

import duckdb
import pytest

from services.runtime.sources.engine import connect

DOORS = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM glob('{file}')",
    "SELECT * FROM '{file}'",
    "COPY (SELECT 1) TO '{file}'",
    "ATTACH '{file}' AS other",
    "EXPORT DATABASE '{file}'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET autoload_known_extensions = true",
    "SET memory_limit = '1TB'",
    "SET TimeZone = 'Asia/Tokyo'",
    "RESET ALL",
]


@pytest.mark.parametrize("statement", DOORS)
def test_no_statement_reaches_outside_or_opens_a_door(statement: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("secret\n1\n")
    connection = connect()
    with pytest.raises(duckdb.Error):
        connection.execute(statement.format(file=file)).fetchall()
    assert file.read_text() == "secret\n1\n"
    assert [*tmp_path.iterdir()] == [file]


def test_its_clock_is_utc_and_its_memory_limited() -> None:
    said = (
        connect(memory_limit_mb=100)
        .execute("SELECT current_setting('TimeZone'), current_setting('memory_limit')")
        .fetchone()
    )
    assert said == ("UTC", "95.3 MiB")
