"""Open set."""
