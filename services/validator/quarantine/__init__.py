"""What was refused: rows and files as they are kept."""
