"""`ecp console`: the web console, opened; on AWS through a proxy that signs."""
