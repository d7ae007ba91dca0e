"""What every service stands on: event store, messaging, observability, storage. It knows none."""
