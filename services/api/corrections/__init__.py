"""Quarantined rows that people correct: asked of the validator, and what became of each row."""
