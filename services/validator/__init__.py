"""File contracts, row checks, quarantine and staging (docs/design.md, Validation)."""
