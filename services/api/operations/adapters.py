"""The pipeline's queues on SQS; what is dropped leaves a record in the archive bucket."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from contracts.clock import Clock
from services.api.operations.letters import (
    DEAD_LETTER_SUFFIX,
    Depth,
    Letter,
    Told,
    depths,
    drop_letter,
    held,
    is_dead_letter_queue,
    read_letters,
    send_back,
)
from services.runtime.storage.aws import translated


class SqsQueues:
    """On boto3 clients `sqs` and `s3`; queues go by their names without the `prefix` of a stage."""

    def __init__(
        self, clients: Mapping[str, Any], archive_bucket: str, clock: Clock, prefix: str = ""
    ) -> None:
        self._clients, self._archive_bucket, self._clock = clients, archive_bucket, clock
        self._prefix = prefix
        self._sqs = clients["sqs"]

    def depths(self) -> list[Depth]:
        """Each with how many of its messages wait and are in work."""
        with translated("the queues"):
            return depths(self._sqs, self._prefix)

    def letters(self, queue: str) -> list[Letter] | None:
        """All of a dead-letter queue, oldest first; None where there is no such queue."""
        with translated(f"queue {queue}"):
            url = self._dead(queue)
            return None if url is None else read_letters(self._sqs, url)

    def is_there(self, queue: str) -> bool:
        """Whether it is a dead-letter queue of the pipeline."""
        with translated(f"queue {queue}"):
            return self._dead(queue) is not None

    def can_send_back(self, queue: str) -> bool:
        """Whether a dead-letter queue's letters came from a queue."""
        with translated(f"queue {queue}"):
            return self._source(queue) is not None

    def send_back(self, queue: str, message_id: str | None) -> tuple[list[Letter], list[Letter]]:
        """One letter, or all, to where it came from: those sent, those that SQS does not take."""
        with translated(f"queue {queue}"):
            url, source = self._dead(queue), self._source(queue)
            if url is None or source is None:
                return [], []
            return send_back(self._sqs, url, source, message_id)

    def drop(self, queue: str, message_id: str, who: str, why: str) -> str | None:
        """Remove a letter and keep a record, whose key is returned; None where it is gone."""
        with translated(f"queue {queue}"):
            url = self._dead(queue)
            if url is None:
                return None
            with held(self._sqs, url, message_id) as letters:
                letter = next((one for one in letters if one.message_id == message_id), None)
                if letter is None:
                    return None
                told = Told(who, why, self._clock())
                return drop_letter(self._clients, letter, self._archive_bucket, told)

    def _dead(self, queue: str) -> str | None:
        is_ours = is_dead_letter_queue(queue)
        return url_of(self._sqs, self._prefix + queue) if is_ours else None

    def _source(self, queue: str) -> str | None:
        return url_of(self._sqs, self._prefix + queue.removesuffix(DEAD_LETTER_SUFFIX))


def url_of(sqs: Any, name: str) -> str | None:
    """Of a queue; None where there is no such queue."""
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            return None
        raise
