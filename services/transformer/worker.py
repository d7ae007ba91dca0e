"""Entry point of the transformer's container: commands from `transformer-commands`."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from contracts.clock import new_event_id, system_clock
from contracts.envelope import Message
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.dead_letters import SqsDeadLetters
from services.runtime.messaging.fence_questions import ask_the_lock, asking_when_stale
from services.runtime.messaging.lease_heartbeat import LeaseHeartbeat
from services.runtime.messaging.spare_time import Between, SpareTime
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks
from services.runtime.messaging.worker import QueueWorker, run_worker
from services.runtime.storage.aws import client
from services.runtime.storage.documents import S3ObjectStore
from services.transformer.adapters import (
    S3StagedInputs,
    engines,
    glue_catalog,
    rotation_keys,
    spark_is_here,
)
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.publication import TableNames
from services.transformer.batch.state import SOURCE, Answer, Ports, StagedInputs, current_state
from services.transformer.batch.transform import transform_batch, warm_up
from services.transformer.emr.runner import JobRunner, transform_where_it_fits
from services.transformer.facts.catalog import FactsCatalog
from services.transformer.facts.published import PublishedFacts
from services.transformer.history.comparing import compare_batch
from services.transformer.history.explaining import explain_kpi
from services.transformer.history.waiting import list_waiting
from services.transformer.maintenance import (
    compaction,
    erasure,
    lock_alignment,
    rebuild,
    rekeying,
    upkeep,
)
from services.transformer.settings import Settings
from services.transformer.shared_inputs import SharedInputs

Transform = Callable[[Message], Answer]


def ports_on_aws(settings: Settings) -> Ports:
    """What the use cases need, by AWS clients of this process."""
    facts = FactsCatalog(glue_catalog(settings), settings.glue_database)
    inputs: StagedInputs = S3StagedInputs(client("s3"))
    if settings.spark_is_elsewhere:
        inputs = SharedInputs(inputs, client("s3"))
    return Ports(
        store=DynamoDBEventStore(
            client("dynamodb"), settings.event_store_table, system_clock, new_event_id
        ),
        objects=S3ObjectStore(client("s3")),
        inputs=inputs,
        facts=facts,
        engine_of=engines(settings, facts),
        spark_is_here=spark_is_here,
        clock=system_clock,
        tables=TableNames(
            settings.state_table, settings.order_kpis_table, settings.category_kpis_table
        ),
        wanted_engine=settings.transform_engine,
        spark_threshold_mb=settings.spark_threshold_mb,
    )


def on_aws(settings: Settings) -> QueueWorker:
    """The worker of this process; the facts tables are loaded, or made, before it polls."""
    sqs = client("sqs")
    answers = StepFunctionsTaskCallbacks(client("stepfunctions"))
    ports = ports_on_aws(settings)
    transform = transform_by(settings, ports)
    key_of = rotation_keys(client("secretsmanager"), settings.rotation_secret_id)
    catalog = cache(partial(glue_catalog, settings))
    spare_time = SpareTime()
    turns = compaction.BetweenBatches(ports, spare_time.is_over, new_event_id)

    def look() -> PublishedFacts:
        return PublishedFacts(catalog(), settings.glue_database, lambda: current_state(ports))

    ask = ask_the_lock(sqs, settings.lock_queue_url, SOURCE, system_clock, new_event_id)
    lease = LeaseHeartbeat(sqs, settings.lock_queue_url, SOURCE, system_clock, new_event_id)
    return QueueWorker(
        sqs,
        settings.command_queue_url,
        CommandConsumer(
            {
                "TransformBatch": asking_when_stale(transform, ask),
                "AbandonBatch": asking_when_stale(
                    lambda message: abandon_batch(message.data, ports), ask
                ),
                "AdmitFence": lambda message: lock_alignment.admit_fence(message.data, ports),
                "RebuildKpis": lambda message: rebuild.rebuild_kpis(message.data, ports),
                "MaintainFacts": lambda message: upkeep.maintain_facts(
                    message.data, ports, spare_time.is_over
                ),
                "EraseFromFacts": lambda message: erasure.erase_from_facts(message.data, ports),
                "RekeyFacts": lambda message: rekeying.rekey_facts(message.data, ports, key_of),
                "ExplainKpi": lambda message: explain_kpi(
                    message.data, ports, look, settings.data_bucket
                ),
                "CompareBatch": lambda message: compare_batch(
                    message.data, ports, look, settings.data_bucket, settings.archive_bucket
                ),
                "ListWaiting": lambda message: list_waiting(
                    message.data, ports, look, settings.data_bucket
                ),
            },
            answers,
            SqsDeadLetters(sqs),
        ),
        answers,
        on_heartbeat=lease,
        on_take=lease.took,
        heartbeat_seconds=settings.heartbeat_seconds,
        deadline_seconds=settings.deadline_seconds,
        between=Between(spare_time, turns, ("MaintainFacts",)),
    )


def transform_by(settings: Settings, ports: Ports) -> Transform:
    """Warmed up: here, or with Spark on EMR Serverless, as SPARK_TARGET says."""
    if settings.spark_target == "local":
        warm_up(ports)
        return lambda message: transform_batch(message.data, ports)
    warm_up(replace(ports, wanted_engine="auto"))
    runner = JobRunner(client("emr-serverless"), ports.objects, settings)
    return lambda message: transform_where_it_fits(message, ports, runner)


def main() -> None:
    """Work until told to stop."""
    run_worker(on_aws(Settings()))


if __name__ == "__main__":
    main()
