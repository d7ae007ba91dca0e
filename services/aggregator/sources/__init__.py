"""Sources and their lookups: which are known, and what waits for one that is not."""
