"""Taking messages from SQS: parse, hand to the owner, answer the saga, keep what cannot be read."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from contracts import metrics, tracing
from contracts.answers import TaskAnswers
from contracts.aws import queue_name_of
from contracts.envelope import Message, parse, task_token_of
from contracts.errors import ContractViolation
from contracts.handling import told
from contracts.logs import about, keys_of, logger, this_service
from contracts.metrics import Metric

Answer = Mapping[str, Any]
MessageHandler = Callable[[Message], Answer | None]


class DeadLetters(Protocol):
    """Where messages go that no handler could ever take."""

    def put(self, queue_name: str, body: str, reason: str) -> None:
        """Keep the message in the dead-letter queue of that queue, with the reason."""


class SqsDeadLetters:
    """`<queue>-dlq` on SQS; the reason is a message attribute."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, queue_name: str, body: str, reason: str) -> None:
        """Send the body unchanged, with attribute `reason`."""
        url = self._client.get_queue_url(QueueName=f"{queue_name}-dlq")["QueueUrl"]
        self._client.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": reason[:1024]}},
        )


def refuse(body: str, queue_name: str, error: ContractViolation, dead_letters: DeadLetters) -> None:
    """Keep what nobody can ever take, with the reason, and tell of it."""
    logger.error("message refused", queue=queue_name, reason=str(error))
    metrics.write(this_service(), [Metric.MESSAGES_REFUSED.of(1)], keys_of(body))
    dead_letters.put(queue_name, body, str(error))


class CommandConsumer:
    """Handlers by message type; a command's fault is the saga's to retry, an event's is SQS's."""

    def __init__(
        self,
        handlers: Mapping[str, MessageHandler],
        answers: TaskAnswers,
        dead_letters: DeadLetters,
    ) -> None:
        self._handlers = handlers
        self._answers = answers
        self._dead_letters = dead_letters

    def handle(self, body: str, queue_name: str) -> None:
        """Take one message; returning means that it may be deleted from the queue.

        A message that breaks its contract goes to the dead-letter queue at once, and its task is
        failed if the token can be read: nobody waits for it in vain. A handler's answer completes
        the task; None means that somebody else will answer later. A command's
        fault fails its task and the saga decides; a fault without a token is raised, so that
        SQS delivers the message again.
        """
        try:
            message = parse(body)
            handler = self._handler_of(message)
        except ContractViolation as error:
            refuse(body, queue_name, error, self._dead_letters)
            token = task_token_of(body)
            if token is not None:
                self._answers.fail(token, type(error).__name__, str(error))
            return
        try:
            with told(message):
                answer = handler(message)
        except Exception as error:
            if message.task_token is None:
                raise
            logger.exception("command failed")
            self._answers.fail(message.task_token, type(error).__name__, str(error))
            return
        if answer is not None and message.task_token is not None:
            waited_for = self._answers.succeed(message.task_token, answer)
            if not waited_for:
                logger.warning("nobody waits for the answer")

    def _handler_of(self, message: Message) -> MessageHandler:
        if message.event_type not in self._handlers:
            raise ContractViolation(f"nobody here takes {message.event_type}")
        return self._handlers[message.event_type]


def handle_sqs_records(
    event: Mapping[str, Any], handle: Callable[[str, str], None]
) -> dict[str, list[dict[str, str]]]:
    """Run `handle(body, queue_name)` over a Lambda's SQS event; report what has to come again."""
    failures = []
    for record in event["Records"]:
        queue_name = queue_name_of(record["eventSourceARN"])
        with about(**keys_of(record["body"])):
            try:
                handle(record["body"], queue_name)
            except Exception:
                logger.exception("message will be delivered again", queue=queue_name)
                failures.append({"itemIdentifier": record["messageId"]})
    tracing.outbox.flush()
    return {"batchItemFailures": failures}
