"""What a source's expressions may be and what they mean: DuckDB reads and runs them, shut in."""
