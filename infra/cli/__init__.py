"""The `ecp` command: one module per group of commands, over the queries of `infra.queries`."""
