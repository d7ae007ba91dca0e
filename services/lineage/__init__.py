"""The lineage: tells a backend of OpenLineage which files and tables each batch has touched."""
