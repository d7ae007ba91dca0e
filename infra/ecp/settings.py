"""What the environment may say about `ecp` itself; the pipeline's settings travel with `up`."""

from collections.abc import Mapping

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PIPELINE_SETTINGS = (
    "STAGE",
    "SETTLE_SECONDS",
    "OVERDUE_SECONDS",
    "MAX_REJECTED_FRACTION",
    "CURRENCY",
    "TRANSFORM_ENGINE",
    "SPARK_THRESHOLD_MB",
    "LEASE_SECONDS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OPENLINEAGE_URL",
    "OPENLINEAGE_API_KEY",
    "OPENLINEAGE__TRANSPORT",
    "OPENLINEAGE_CONFIG",
    "OPENLINEAGE_DISABLED",
    "OPENLINEAGE_NAMESPACE",
)
"""Settings of the services that `ecp up` and `ecp demo` take (docs/design.md, Command line)."""


class CliSettings(BaseSettings):
    """`ECP_PORT`, `ECP_POLL_SECONDS` and `ECP_WAIT_SECONDS`."""

    model_config = SettingsConfigDict(env_prefix="ECP_", extra="ignore")

    port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the local cloud when `--port` is not given; 4566 without either."""
    poll_seconds: float = Field(default=0.15, gt=0)
    """How often `--wait` looks for new events."""
    wait_seconds: float = Field(default=3600, gt=0)
    """How long `--wait` waits at most; the batch goes on without it."""


def pipeline_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of the pipeline's tunables that the environment sets."""
    return {name: environment[name] for name in PIPELINE_SETTINGS if environment.get(name)}
