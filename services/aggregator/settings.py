"""What the aggregator reads from its environment (given by template.yaml)."""

from pydantic_settings import BaseSettings


class AggregatorSettings(BaseSettings):
    """`SETTLE_SECONDS`: quiet time after which a set without a manifest counts as whole.

    `OVERDUE_SECONDS`: how long a set may wait for what is missing before people are told.
    """

    event_store_table: str
    state_table: str
    state_machine_arn: str
    file_queue_url: str
    notification_topic_arn: str
    settle_seconds: int = 30
    overdue_seconds: int = 14_400
