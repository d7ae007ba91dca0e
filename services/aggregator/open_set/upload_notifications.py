"""The queue `aggregator-files`: a whole batch of notifications is one change of the open set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from contracts.errors import ContractViolation
from contracts.layout import SOURCES_PREFIX
from services.aggregator.aws_events import Check, parse_file_message
from services.aggregator.open_set.detection import Notification
from services.aggregator.open_set.object_lookup import Upload, look_at_all
from services.aggregator.open_set.use_cases import check_file_set, look_after_sources, take_in
from services.aggregator.ports import Ports
from services.runtime.messaging.consumer import refuse, took
from services.runtime.messaging.dead_letters import DeadLetters
from services.runtime.observability.logs import logger

FILES_QUEUE = "aggregator-files"
Record = Mapping[str, Any]


@dataclass
class _Visit:
    """What these records ask of one bucket, and which of them stand or fall with it."""

    asked: list[tuple[str, list[Upload]]] = field(default_factory=list)
    """Message ids, each with what it announced: nothing for a check, or a source."""
    has_sources: bool = False

    @property
    def uploads(self) -> list[Upload]:
        return [upload for _, uploads in self.asked for upload in uploads]

    @property
    def message_ids(self) -> list[str]:
        return [message_id for message_id, _ in self.asked]

    def one_by_one(self) -> list[_Visit]:
        """The same as visits of one message each."""
        return [_Visit([one], self.has_sources) for one in self.asked]


@dataclass(frozen=True)
class FileIntake:
    """Takes SQS records of the file queue together, and tells which have to come again."""

    ports: Ports
    dead_letters: DeadLetters

    def take(self, records: Sequence[Record]) -> list[str]:
        """Message ids of the records that failed; an unreadable one is a dead letter at once."""
        visits: dict[str, _Visit] = defaultdict(_Visit)
        failed = []
        for record in records:
            message_id = record["messageId"]
            prepare = partial(self._prepare, visits, message_id)
            if not took(record, prepare):
                failed.append(message_id)
        for bucket, visit in visits.items():
            failed += self._failed_of(bucket, visit)
        return failed

    def _failed_of(self, bucket: str, visit: _Visit) -> list[str]:
        """Of a visit all at once; one by one where that fails, so that each stands alone."""
        try:
            self._apply(bucket, visit)
        except Exception:
            logger.exception("messages are tried one by one", queue=FILES_QUEUE)
        else:
            return []
        failed: list[str] = []
        for each in visit.one_by_one():
            try:
                self._apply(bucket, each)
            except Exception:
                logger.exception("message will be delivered again", queue=FILES_QUEUE)
                failed += each.message_ids
        return failed

    def _prepare(
        self, visits: dict[str, _Visit], message_id: str, body: str, queue_name: str
    ) -> None:
        """Read the record and look at its object; what it asks for is added to a visit."""
        try:
            message = parse_file_message(body)
        except ContractViolation as error:
            refuse(body, queue_name, error, self.dead_letters)
            return
        if isinstance(message, Notification) and message.key.startswith(SOURCES_PREFIX):
            visits[message.bucket].has_sources = True
            visits[message.bucket].asked.append((message_id, []))
            return
        uploads = [] if isinstance(message, Check) else look_at_all(message, self.ports)
        if uploads or isinstance(message, Check):
            visits[message.bucket].asked.append((message_id, uploads))

    def _apply(self, bucket: str, visit: _Visit) -> None:
        if visit.has_sources:
            look_after_sources(bucket, self.ports)
        if visit.uploads:
            take_in(bucket, visit.uploads, self.ports)
        else:
            check_file_set(bucket, self.ports)
