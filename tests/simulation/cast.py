"""The real services, on the simulated ports; each call makes what one new process would make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.aggregator import ports as aggregator_ports
from services.aggregator.handler import aggregator_service
from services.aggregator.notifications import SnsNotification
from services.archiver import use_cases as archiver
from services.lock import use_cases as lock
from services.lock.handler import lock_service
from services.runtime.messaging import fence_questions
from services.runtime.messaging.consumer import CommandConsumer, handle_sqs_records
from services.transformer.batch import transform
from services.transformer.batch.abandon import abandon_batch
from services.transformer.batch.publication import TableNames
from services.transformer.batch.state import SOURCE, Ports
from tests.simulation.compute import Handler, SqsClient
from tests.simulation.facts import SimulatedEngine, SimulatedFacts
from tests.simulation.stores import (
    ArchiverObjects,
    Documents,
    FaultyStore,
    Inputs,
    Reports,
    Uploads,
)
from tests.simulation.validator import validate_file

if TYPE_CHECKING:
    from tests.simulation.world import World

ARCHIVE = "ecommerce-archive-bucket"
SETTLE = timedelta(seconds=30)
OVERDUE = timedelta(hours=4)
LEASE = timedelta(seconds=300)
TABLE_NAMES = TableNames("TransformerState", "OrderKPIs", "CategoryKPIs")


class Executions:
    """The machine, for the lock and the aggregator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.found_dead: list[str] = []

    def start(self, name: str, document: Mapping[str, object]) -> str:
        fault = self._world.touch("StartExecution", "ambiguous")
        arn = self._world.machine.start(name, document)
        self._world.after("StartExecution")
        if fault == "ambiguous":
            raise self._world.throttled("StartExecution")
        return arn

    def ended(self, execution_id: str) -> str | None:
        status = self._world.machine.status_of(execution_id)
        if status is not None:
            self.found_dead.append(execution_id)
        return status


class Checks:
    """Messages of the aggregator to itself."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, bucket: str, delay_seconds: int) -> None:
        self._world.touch("aggregator check")
        self._world.queues["aggregator-files"].send(f'{{"check": "{bucket}"}}', delay_seconds)


class People:
    """Who is told; the topic itself never fails."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, notice: SnsNotification) -> None:
        self.published(notice.subject, notice.message)

    def published(self, subject: str, message: str) -> None:
        self.told.append((subject, message))


def lock_handler(world: World, lease: timedelta = LEASE) -> Handler:
    """The function processing-lock."""
    executions = Executions(world)
    ports = lock.Ports(
        store=FaultyStore(world, "lock"),
        answers=world.answers,
        executions=executions,
        clock=world.clock,
        table="ProcessingLockTable",
        lease=lease,
    )
    service = lock_service(ports, world.queues["lock-commands"])

    def handle(body: str, queue_name: str) -> None:
        executions.found_dead.clear()
        try:
            service.handle(body, queue_name)
        except Exception as error:
            world.saw_failure(type(error).__name__, str(error))
            raise
        world.checks.lock_knew(executions.found_dead)

    return lambda event: handle_sqs_records(event, handle)


def aggregator_handler(world: World) -> Handler:
    """The function of the aggregator."""
    ports = aggregator_ports.Ports(
        store=FaultyStore(world, "aggregator"),
        documents=Documents(world, "aggregator"),
        uploads=Uploads(world),
        reports=Reports(world),
        executions=Executions(world),
        checks=Checks(world),
        people=world.people,
        clock=world.clock,
        table="AggregatorState",
        settle=SETTLE,
        overdue=OVERDUE,
    )
    return aggregator_service(ports, world.answers, world.queues["lock-commands"]).handle_records


def archiver_handler(world: World) -> Handler:
    """The function batch-archiver."""
    ports = archiver.Ports(
        store=FaultyStore(world, "archiver"),
        documents=Documents(world, "archiver"),
        objects=ArchiverObjects(world),
        answers=world.answers,
        archive_bucket=ARCHIVE,
        threads=1,
    )
    consumer = CommandConsumer(
        {"ArchiveBatch": lambda message: archiver.archive_batch(message, ports)},
        world.answers,
        world.queues["lock-commands"],
    )
    return lambda event: handle_sqs_records(event, consumer.handle)


def validator_consumer(world: World) -> CommandConsumer:
    """A validator container's work."""
    return CommandConsumer(
        {"ValidateFile": lambda message: validate_file(message, world)},
        world.answers,
        world.queues["lock-commands"],
    )


def transformer_consumer(world: World) -> CommandConsumer:
    """A transformer container's work, with metadata of its own."""
    facts = SimulatedFacts(world.catalog, world.touch, world.after)
    engine = SimulatedEngine(facts, world.staged_rows)
    ports: Any = Ports(
        store=FaultyStore(world, "transformer"),
        objects=Documents(world, "transformer"),
        inputs=Inputs(world),
        facts=facts,  # type: ignore[arg-type]
        engine_of=lambda _: engine,  # type: ignore[arg-type,return-value]
        spark_is_here=lambda: False,
        clock=world.clock,
        tables=TABLE_NAMES,
    )
    ask = fence_questions.ask_the_lock(
        SqsClient(world.queues["lock-commands"]),
        "lock-commands",
        SOURCE,
        world.clock,
        world.new_id,
    )
    return CommandConsumer(
        {
            "TransformBatch": fence_questions.asking_when_stale(
                lambda message: transform.transform_batch(message.data, ports), ask
            ),
            "AbandonBatch": fence_questions.asking_when_stale(
                lambda message: abandon_batch(message.data, ports), ask
            ),
        },
        world.answers,
        world.queues["lock-commands"],
    )
