"""DuckDB with every door shut: no files, no network, no extensions, no way to open them again."""

import duckdb

MEMORY_LIMIT_MB = 512


def connect(memory_limit_mb: int = MEMORY_LIMIT_MB, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A database of its own in memory; nothing spills, so that nothing reaches the disk.

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
            "temp_directory": "",
            "memory_limit": f"{memory_limit_mb}MB",
            "threads": str(threads),
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET lock_configuration = true")
    return connection
