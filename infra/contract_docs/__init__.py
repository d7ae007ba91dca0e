"""Contract docs."""
