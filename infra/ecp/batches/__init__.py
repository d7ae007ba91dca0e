"""What ran and how it ended: `ecp batches`, `batch`, `redrive`, `release`, `ignored`, `logs`."""
