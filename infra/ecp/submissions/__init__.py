"""Sending files, and checking them before: `ecp submit`, `ecp validate`."""
