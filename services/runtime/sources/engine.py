"""DuckDB with every door shut: no files, no network, no extensions, no way to open them again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

MEMORY_LIMIT_MB = 512
_AGAIN_SECONDS = 0.05


def connect(
    memory_limit_mb: int = MEMORY_LIMIT_MB, threads: int = 1, spill: str = ""
) -> duckdb.DuckDBPyConnection:
    """A database of its own in memory; it spills to the folder `spill`, by default nowhere.

    Its time zone is UTC whatever the machine's is. The `icu` extension, which converts time zones,
    is part of DuckDB's Python package: it is neither fetched nor loaded from a file.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "temp_directory": spill,
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": str(threads),
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection


@contextmanager
def stopped_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what a connection runs after so many seconds, and what it runs after that."""
    is_done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not is_done.wait(wait):
            connection.interrupt()
            wait = _AGAIN_SECONDS

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_done.set()
        watching.join()
