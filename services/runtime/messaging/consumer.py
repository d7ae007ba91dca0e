"""Taking messages from SQS: parse, hand to the owner, answer the saga, keep what cannot be read."""

from collections.abc import Callable, Mapping
from typing import Any

from contracts.envelope import Message, parse, task_token_of
from contracts.errors import ContractViolation, PipelineError, Refused, StaleWriter
from contracts.foreign import shown
from services.runtime.messaging.dead_letters import DeadLetters
from services.runtime.messaging.task_callbacks import TaskCallbacks
from services.runtime.observability import metrics, tracing
from services.runtime.observability.instrumentation import instrumented
from services.runtime.observability.logs import about, keys_of, logger, this_service
from services.runtime.observability.metrics import Metric
from services.runtime.storage.aws import queue_name_of

Answer = Mapping[str, Any]
MessageHandler = Callable[[Message], Answer | None]
LOGGED_CHARACTERS = 1024
NO_RETRY = ContractViolation.__name__
"""By this name the saga knows that asking again is in vain."""


def refuse(body: str, queue_name: str, error: PipelineError, dead_letters: DeadLetters) -> None:
    """Keep what nobody can ever take, with the reason, and tell of it."""
    logger.error("message refused", queue=queue_name, reason=shown(str(error), LOGGED_CHARACTERS))
    metrics.write(this_service(), [Metric.MESSAGES_REFUSED.of(1)], keys_of(body))
    dead_letters.put(queue_name, body, str(error))


class CommandConsumer:
    """Handlers by message type; a command's fault is the saga's to retry, an event's is SQS's."""

    def __init__(
        self,
        handlers: Mapping[str, MessageHandler],
        answers: TaskCallbacks,
        dead_letters: DeadLetters,
    ) -> None:
        self._handlers = handlers
        self._answers = answers
        self._dead_letters = dead_letters

    def handle(self, body: str, queue_name: str) -> None:
        """Take one message; returning means that it may be deleted from the queue.

        A message that breaks its contract, or that its handler says can never be taken (Refused),
        goes to the dead-letter queue at once, and its task is failed if the token can be read:
        nobody waits for it in vain. A handler's answer completes the task; None means that
        somebody else will answer later. A command's fault fails its task and the saga decides; a
        fault without a token is raised, so that SQS delivers the message again, except that of a
        stale writer, who stays one: it is a dead letter. Raised is also a fault of
        the dead-letter queue or of Step Functions: what could not be kept or told comes again.
        """
        try:
            message = parse(body)
            handler = self._handler_of(message)
        except ContractViolation as error:
            self._refuse(body, queue_name, error, task_token_of(body))
            return
        try:
            with instrumented(message):
                answer = handler(message)
        except Refused as error:
            self._refuse(body, queue_name, error, message.task_token)
            return
        except Exception as error:
            if message.task_token is None and isinstance(error, StaleWriter):
                self._refuse(body, queue_name, error, None)
                return
            if message.task_token is None:
                raise
            logger.exception("command failed")
            self._answers.fail(message.task_token, type(error).__name__, str(error))
            return
        if answer is not None and message.task_token is not None:
            waited_for = self._answers.succeed(message.task_token, answer)
            if not waited_for:
                logger.warning("nobody waits for the answer")

    def _refuse(self, body: str, queue_name: str, error: PipelineError, token: str | None) -> None:
        refuse(body, queue_name, error, self._dead_letters)
        if token is not None:
            self._answers.fail(token, NO_RETRY, str(error))

    def _handler_of(self, message: Message) -> MessageHandler:
        if message.event_type not in self._handlers:
            raise ContractViolation(f"nobody here takes {message.event_type}")
        return self._handlers[message.event_type]


def handle_sqs_records(
    event: Mapping[str, Any], handle: Callable[[str, str], None]
) -> dict[str, list[dict[str, str]]]:
    """Run `handle(body, queue_name)` over a Lambda's SQS event; report what has to come again.

    Whatever one record is made of, the others are handled: a function that raises would bring all
    of them again, and after five times to the dead-letter queue.
    """
    failures = []
    for record in event["Records"]:
        if not took(record, handle):
            failures.append({"itemIdentifier": record["messageId"]})
    tracing.outbox.flush()
    return {"batchItemFailures": failures}


def took(record: Mapping[str, Any], handle: Callable[[str, str], object]) -> bool:
    """Whether one SQS record is dealt with; the fault of one that is not is in the log."""
    try:
        body, queue_name = record["body"], queue_name_of(record["eventSourceARN"])
        with about(**keys_of(body)):
            try:
                handle(body, queue_name)
            except Exception:
                logger.exception("message will be delivered again", queue=queue_name)
                return False
    except Exception:
        logger.exception("message will be delivered again")
        return False
    return True
