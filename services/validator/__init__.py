"""The validator: file contracts, row checks, quarantine and staging (DESIGN 3, Validation)."""
