"""Makes the rooms of a new service: `make new-service NAME=x`."""
