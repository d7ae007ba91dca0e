"""The single-writer lock: grants, queues, leases, fences, recovery (DESIGN 3, Lock)."""
