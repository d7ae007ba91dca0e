"""What the lock reads from its environment (given by template.yaml)."""

from pydantic_settings import BaseSettings


class LockSettings(BaseSettings):
    """`LEASE_SECONDS`: how long a holder may be silent before the lock is taken from it."""

    event_store_table: str
    lock_table: str
    lease_seconds: int = 900
