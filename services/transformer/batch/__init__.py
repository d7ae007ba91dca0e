"""One batch: what it may do, its merge into the facts, its KPIs and their publication."""
