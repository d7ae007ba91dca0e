"""What people do about the pipeline itself: its lock, its queues and their dead letters."""
