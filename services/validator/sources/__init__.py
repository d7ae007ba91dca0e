"""Files of a source: read by its format, shaped by its expressions, judged as plain files are."""
