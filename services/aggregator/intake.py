"""The queue `aggregator-files`: a whole batch of notifications is one change of the open set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.consumer import DeadLetters, refuse
from contracts.errors import ContractViolation
from contracts.logs import about, keys_of, logger
from services.aggregator.detection import Notification
from services.aggregator.incoming import Check, parse_file_message
from services.aggregator.ports import Ports
from services.aggregator.sightings import Upload, look_at
from services.aggregator.use_cases import check_file_set, take_in

FILES_QUEUE = "aggregator-files"
Record = Mapping[str, Any]


@dataclass
class _Visit:
    """What these records ask of one bucket, and which of them stand or fall with it."""

    uploads: list[Upload] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)


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
            with about(**keys_of(record["body"])):
                try:
                    self._prepare(record, visits)
                except Exception:
                    logger.exception("message will be delivered again", queue=FILES_QUEUE)
                    failed.append(record["messageId"])
        for bucket, visit in visits.items():
            try:
                self._apply(bucket, visit)
            except Exception:
                logger.exception("messages will be delivered again", queue=FILES_QUEUE)
                failed += visit.message_ids
        return failed

    def _prepare(self, record: Record, visits: dict[str, _Visit]) -> None:
        """Read the record and look at its object; what it asks for is added to a visit."""
        try:
            message = parse_file_message(record["body"])
        except ContractViolation as error:
            refuse(record["body"], FILES_QUEUE, error, self.dead_letters)
            return
        upload = look_at(message, self.ports) if isinstance(message, Notification) else None
        if upload is None and not isinstance(message, Check):
            return
        visit = visits[message.bucket]
        visit.message_ids.append(record["messageId"])
        if upload is not None:
            visit.uploads.append(upload)

    def _apply(self, bucket: str, visit: _Visit) -> None:
        if visit.uploads:
            take_in(bucket, visit.uploads, self.ports)
        else:
            check_file_set(bucket, self.ports)
