"""The open file set: noticing files, completing sets, sealing them into batches."""
