"""Sources are read by one DuckDB."""

from tests.support.shared_databases import share_databases

share_databases()
