"""`ecp lock`: who may write, and putting lock and transformer in step."""
