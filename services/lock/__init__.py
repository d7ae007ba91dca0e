"""The single-writer lock: grants, queues, leases, fences, recovery (docs/design.md, Lock)."""
