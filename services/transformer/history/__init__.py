"""What stands behind a number, and what a batch changed."""
