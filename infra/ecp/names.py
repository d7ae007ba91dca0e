"""Names of deployed things: those that stacks publish in SSM, and those that the design fixes.

Constants are the names without a stage; `table` and `Names` give those of a stage.
"""

from functools import cached_property
from typing import Any

from contracts.layout import FACTS_DATABASE
from infra.stage import Stage, current_stage

SOURCE = "ecommerce-pipeline/cli"
"""Who `ecp` is in the messages that it sends."""
LOCK_TABLE = "ProcessingLockTable"
LOCK_ID = "ecommerce-pipeline-lock"
STATE_TABLE = "AggregatorState"
CATEGORY_KPIS_TABLE = "CategoryKPIs"
ORDER_KPIS_TABLE = "OrderKPIs"
TRANSFORMER_STATE_TABLE = "TransformerState"
PARAMETER_PREFIX = "/ecommerce-pipeline"


def table(name: str) -> str:
    """A table of the stage that is spoken to."""
    return current_stage().named(name)


def facts_database() -> str:
    """The database of the facts in that stage."""
    return current_stage().database(FACTS_DATABASE)


class Names:
    """SSM parameters `/<stage>-ecommerce-pipeline/<stack>/<name>`, read once when first needed.

    A missing parameter raises botocore's ClientError ParameterNotFound: not deployed.
    """

    def __init__(self, ssm: Any, stage: Stage) -> None:
        self._ssm, self._stage = ssm, stage

    def get(self, stack: str, name: str) -> str:
        """The value that a stack publishes under a name."""
        path = self._stage.path(f"{PARAMETER_PREFIX}/{stack}/{name}")
        return str(self._ssm.get_parameter(Name=path)["Parameter"]["Value"])

    @cached_property
    def data_bucket(self) -> str:
        """Where files are uploaded, staged and quarantined."""
        return self.get("platform", "data-bucket")

    @cached_property
    def archive_bucket(self) -> str:
        """Where processed inputs are kept."""
        return self.get("platform", "archive-bucket")

    @cached_property
    def event_store_table(self) -> str:
        """The DynamoDB table of all streams."""
        return self.get("platform", "event-store-table")

    @cached_property
    def notification_topic_arn(self) -> str:
        """The SNS topic that tells people how a batch ended."""
        return self.get("platform", "notification-topic-arn")

    @cached_property
    def aggregator_commands_url(self) -> str:
        """The queue that RedriveBatch goes to."""
        return self.get("aggregator", "command-queue-url")

    @cached_property
    def lock_commands_url(self) -> str:
        """The queue that BreakLock goes to."""
        return self.get("lock", "command-queue-url")
