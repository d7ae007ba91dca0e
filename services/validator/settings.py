"""What the validator reads from its environment (given by template.yaml)."""

from collections.abc import Mapping

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings

from contracts.layout import FACTS_DATABASE


class ValidatorSettings(BaseSettings):
    """`MAX_REJECTED_FRACTION` is 0 to 1.

    `CURRENCY` is the ISO 4217 code that all amounts are in; without it each file may have its own.
    `STATE_TABLE` is the aggregator's, of which batches and dismissals are read.
    """

    event_store_table: str
    command_queue_url: str
    lock_queue_url: str
    data_bucket: str
    state_table: str
    glue_database: str = FACTS_DATABASE
    aws_region: str = Field(
        "us-east-1", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION")
    )
    aws_endpoint_url: str | None = None
    pseudonym_secret_id: str
    max_rejected_fraction: float = Field(default=0.2, ge=0, le=1)
    currency: str | None = Field(default=None, pattern="^([A-Z]{3})?$")
    heartbeat_seconds: float = 5.0
    validate_file_deadline_seconds: float = 7_200
    erasure_deadline_seconds: float = 14_400
    replay_deadline_seconds: float = 300

    @property
    def deadline_seconds(self) -> Mapping[str, float]:
        """How long a message may be in hand: after that the saga waits for it no more.

        For an erasure no saga waits: it is given as long as the transformer has for its part. Who
        asks for a replay asks again.
        """
        return {
            "ValidateFile": self.validate_file_deadline_seconds,
            "EraseFromQuarantine": self.erasure_deadline_seconds,
            "ReplayQuarantine": self.replay_deadline_seconds,
        }
