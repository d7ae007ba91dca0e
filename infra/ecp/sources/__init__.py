"""`ecp sources`: which export a file is, sources of one's own drafted, tried, added and removed."""
