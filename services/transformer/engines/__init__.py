"""Two engines behind one port: DuckDB for small batches, Spark for the others."""
