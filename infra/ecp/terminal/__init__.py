"""How `ecp` speaks with people and programs: output, errors, tables, safe file names."""
