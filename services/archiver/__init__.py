"""Moves the inputs of a published batch to the archive, verified (docs/design.md, Archive)."""
