"""Where a replay looks, from this terminal."""

from infra.ecp.names import STATE_TABLE, facts_database, table
from infra.ecp.quarantine.originals import Headers
from infra.ecp.target import Target
from services.runtime.quarantine.resolutions import Resolutions
from services.validator.quarantine.replay_decision import Stores
from services.validator.quarantine.stored import read_resolutions


def stores_of(target: Target) -> Stores:
    """The stores of a deployed pipeline."""
    return Stores(
        s3=target.client("s3"),
        dynamodb=target.client("dynamodb"),
        events=target.event_store,
        objects=target.objects,
        facts=lambda: target.facts,
        facts_database=facts_database(),
        data_bucket=target.names.data_bucket,
        state_table=table(STATE_TABLE),
        header_of=Headers(
            target.client("s3"), target.names.data_bucket, target.names.archive_bucket
        ).of,
    )


def resolutions_in(target: Target) -> Resolutions:
    """What became of what lies in quarantine."""
    return read_resolutions(
        target.client("s3"),
        target.client("dynamodb"),
        target.objects,
        target.names.data_bucket,
        table(STATE_TABLE),
    )
