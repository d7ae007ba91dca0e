"""Work between two batches, by the one writer: upkeep, rebuild, erasure, new pseudonyms."""
