"""Entry point of the validator's container: commands from `validator-commands`."""

from functools import cache, partial
from io import BytesIO

from contracts.clock import new_event_id, system_clock
from contracts.file_contracts import file_contract
from services.runtime.event_store import DynamoDBEventStore
from services.runtime.messaging.consumer import CommandConsumer
from services.runtime.messaging.dead_letters import SqsDeadLetters
from services.runtime.messaging.fence_questions import ask_the_lock, asking_when_stale
from services.runtime.messaging.lease_heartbeat import LeaseHeartbeat
from services.runtime.messaging.task_callbacks import StepFunctionsTaskCallbacks
from services.runtime.messaging.worker import QueueWorker, run_worker
from services.runtime.privacy.erasure import ErasurePorts
from services.runtime.storage.aws import client
from services.runtime.storage.documents import S3ObjectStore
from services.runtime.storage.object_versions import S3Versions
from services.validator import use_cases
from services.validator.adapters import S3Inputs, S3Outputs, pseudonym_keys
from services.validator.erasure import erase_from_quarantine
from services.validator.pseudonyms import Pseudonyms
from services.validator.quarantine.current_facts import glue_catalog
from services.validator.quarantine.replay_decision import Stores
from services.validator.quarantine.replaying import Replaying, replay_quarantine
from services.validator.quarantine.uploads import ReplayUploads
from services.validator.reading.file_check import check_file
from services.validator.settings import ValidatorSettings


def on_aws(settings: ValidatorSettings) -> QueueWorker:
    """The worker of this process; it reads the keys of the pseudonyms for each file of orders."""
    s3, sqs = client("s3"), client("sqs")
    answers = StepFunctionsTaskCallbacks(client("stepfunctions"))
    secrets = client("secretsmanager")
    ports = use_cases.Ports(
        store=DynamoDBEventStore(
            client("dynamodb"), settings.event_store_table, system_clock, new_event_id
        ),
        documents=S3ObjectStore(s3),
        inputs=S3Inputs(s3),
        outputs=S3Outputs(s3),
        clock=system_clock,
        pseudonyms=lambda: Pseudonyms(*pseudonym_keys(secrets, settings.pseudonym_secret_id)),
        max_rejected_fraction=settings.max_rejected_fraction,
        currency=settings.currency or None,
    )
    erasing = ErasurePorts(
        store=ports.store,
        documents=ports.documents,
        versions_of=lambda bucket: S3Versions(s3, bucket),
        clock=system_clock,
    )
    replaying = Replaying(
        stores=Stores(
            s3=s3,
            dynamodb=client("dynamodb"),
            events=ports.store,
            objects=ports.documents,
            facts=cache(partial(glue_catalog, settings.aws_region, settings.aws_endpoint_url)),
            facts_database=settings.glue_database,
            data_bucket=settings.data_bucket,
            state_table=settings.state_table,
        ),
        uploads=ReplayUploads(s3, settings.data_bucket),
        versions=S3Versions(s3, settings.data_bucket),
        clock=system_clock,
        currency=settings.currency or None,
    )
    ask = ask_the_lock(sqs, settings.lock_queue_url, use_cases.SOURCE, system_clock, new_event_id)
    lease = LeaseHeartbeat(
        sqs, settings.lock_queue_url, use_cases.SOURCE, system_clock, new_event_id
    )
    return QueueWorker(
        sqs,
        settings.command_queue_url,
        CommandConsumer(
            {
                "ValidateFile": asking_when_stale(
                    lambda message: use_cases.validate_file(message, ports), ask
                ),
                "EraseFromQuarantine": lambda message: erase_from_quarantine(message, erasing),
                "ReplayQuarantine": lambda message: replay_quarantine(message.data, replaying),
            },
            answers,
            SqsDeadLetters(sqs),
        ),
        answers,
        on_heartbeat=lease,
        on_take=lease.took,
        heartbeat_seconds=settings.heartbeat_seconds,
        deadline_seconds=settings.deadline_seconds,
    )


def warm_up() -> None:
    """Check a file without rows: what Arrow loads at its first use (0.3 s) is loaded then."""
    contract = file_contract("orders")
    check_file(
        lambda: BytesIO(",".join(contract.columns).encode()),
        contract,
        name="orders/warm-up.csv",
        today=system_clock().date(),
        max_rejected_fraction=0,
        on_accepted=lambda _: None,
        on_quarantined=lambda _: None,
    )


def main() -> None:
    """Work until told to stop."""
    worker = on_aws(ValidatorSettings())
    warm_up()
    run_worker(worker)


if __name__ == "__main__":
    main()
