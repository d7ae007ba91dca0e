"""One DuckDB for all the tests of a process: to make one takes 20 ms, a connection to it nothing.

What a connection makes is temporary: no other sees it, and it is gone with the connection.
"""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import duckdb

from services.runtime.sources import engine, shaping, syntax
from services.transformer.engines.duckdb_engine import DuckDBEngine, DuckDBSession

of_sources = cache(engine.connect)
of_batches = cache(partial(duckdb.connect, config={"autoload_known_extensions": "false"}))


def share_databases() -> None:
    """From now on, in this process; let go before it ends, or DuckDB complains of what is left."""
    atexit.register(of_sources.cache_clear)
    atexit.register(of_batches.cache_clear)
    atexit.register(syntax.parser.cache_clear)
    shaping.connect = syntax.connect = lambda *limits, **named: of_sources(
        *limits, **named
    ).cursor()
    DuckDBEngine.session = _session


@contextmanager
def _session(engine: Any) -> Iterator[DuckDBSession]:
    with of_batches().cursor() as connection:
        yield DuckDBSession(connection, engine._facts, engine._copies)
