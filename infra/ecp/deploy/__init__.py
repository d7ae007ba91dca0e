"""`ecp deploy`."""
