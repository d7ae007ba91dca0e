"""What the archiver reads from its environment (given by template.yaml)."""

from pydantic_settings import BaseSettings


class ArchiverSettings(BaseSettings):
    """The data bucket is named by each manifest; only the destination is a setting."""

    event_store_table: str
    archive_bucket: str
