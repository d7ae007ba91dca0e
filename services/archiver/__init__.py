"""Moves the inputs of a published batch to the archive, verified (DESIGN 3, Archive)."""
