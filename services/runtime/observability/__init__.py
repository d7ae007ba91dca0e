"""Log lines, metrics and spans: what a service says of itself."""
