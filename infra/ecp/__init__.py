"""The `ecp` command: one folder for each noun, with its commands, its queries and its views."""
