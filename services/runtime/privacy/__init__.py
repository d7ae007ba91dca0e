"""Pseudonyms, and erasing one user from what is kept."""
