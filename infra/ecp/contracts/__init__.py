"""`ecp contracts`."""
