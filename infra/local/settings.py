"""What the environment says to the process of the local cloud."""

from pathlib import Path

from pydantic_settings import BaseSettings


class ServerSettings(BaseSettings):
    """Read from its environment; the first three are MiniStack's own variables."""

    bind_host: str
    gateway_port: int
    log_level: str = "INFO"
    ecp_state: Path
    """The folder of `SavedState`."""
    ecp_task_key: str = ""
    """What tokens of workers are made with (`task_credentials`)."""
