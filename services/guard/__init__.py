"""The guard: says which published numbers are far from what the days before let expect."""
