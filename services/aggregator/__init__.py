"""The aggregator: notices files, completes sets, seals them into batches and keeps their life."""
