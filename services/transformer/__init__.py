"""Owns the facts and their KPIs: turns staged rows into Iceberg facts and publishes daily KPIs."""
