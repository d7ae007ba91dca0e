"""The facts tables: columns, catalog, files, reading, snapshots."""
