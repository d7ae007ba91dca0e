"""Work between two batches: `ecp rebuild`, `ecp maintain`."""
