"""Corrections on AWS: handed in by S3, asked for by SQS, answered by a document in S3."""

import json
import secrets
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from contracts.clock import Clock, NewId
from contracts.errors import PipelineError
from contracts.layout import corrections_key, replay_key
from contracts.messages import ObjectRef, QuarantineCorrections, QuarantineReplay, ReplayAnswers
from services.api.corrections.domain import message_of
from services.api.questions.domain import KEPT
from services.api.questions.remembered import Remembered
from services.runtime.quarantine.replays import replay_document
from services.runtime.storage.aws import translated
from services.runtime.storage.documents import S3ObjectStore, check_document
from services.runtime.storage.expired_documents import stored

ASK_AGAIN_AFTER = timedelta(seconds=20)
WAIT_SECONDS, LOOK_SECONDS = 12.0, 0.25
FORMS_ARE_KEPT = timedelta(days=3)
KEY_BYTES = 32


class Corrections:
    """On boto3 clients; `queue_url` is the validator's, `views_table` keeps what was asked."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        *,
        bucket: str,
        queue_url: str,
        views_table: str,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._s3, self._sqs = clients["s3"], clients["sqs"]
        self._remembered = Remembered(clients["dynamodb"], views_table, clock)
        self._objects = S3ObjectStore(self._s3)
        self._bucket, self._queue_url = bucket, queue_url
        self._clock, self._new_id = clock, new_id
        self._links: dict[str, ReplayAnswers | None] = {}

    def answer(self, replay_id: str) -> QuarantineReplay | None:
        """The document; None before it is there."""
        body = stored(self._s3, self._bucket, replay_key(replay_id))
        if body is None:
            return None
        return QuarantineReplay.model_validate(json.loads(body.read()))

    def await_answer(self, replay_id: str) -> QuarantineReplay | None:
        """Look until it is there, for less time than the gateway waits."""
        until = time.monotonic() + WAIT_SECONDS
        while (found := self.answer(replay_id)) is None and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return found

    def was_asked(self, replay_id: str) -> bool:
        """By what `ask` remembers."""
        return self._remembered.was_asked(replay_id)

    def ask(
        self, replay_id: str, rows: QuarantineCorrections, *, dry_run: bool, requested_by: str
    ) -> None:
        """The message names the rows by reference: users' ids are in no queue."""
        if not self._remembered.ask(replay_id, KEPT, ASK_AGAIN_AFTER):
            return
        document = rows.model_dump(mode="json")
        check_document("QuarantineCorrections", document)
        with translated(f"s3://{self._bucket}/{corrections_key(replay_id)}"):
            ref = self._objects.put_json(self._bucket, corrections_key(replay_id), document)
        message = message_of(
            replay_id,
            ref,
            self._new_id(),
            self._clock(),
            dry_run=dry_run,
            requested_by=requested_by,
        )
        with translated(f"queue {self._queue_url}"):
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message.to_json())

    def links(self, ref: ObjectRef) -> ReplayAnswers | None:
        """A version never changes, so it is read once."""
        name = f"{ref.key} {ref.version_id}"
        if name not in self._links:
            self._links[name] = replay_document(self._objects, ref)
        return self._links[name]

    def form_key(self, day: str) -> bytes:
        """Made by whoever asks for it first that day."""
        found = self._remembered.get("forms", day)
        if found is None:
            signs = {"signs": secrets.token_hex(KEY_BYTES)}
            self._remembered.put("forms", day, signs, FORMS_ARE_KEPT)
            found = self._remembered.get("forms", day)
        if found is None:
            raise PipelineError(f"the forms of {day} have no key")
        return bytes.fromhex(found["signs"])
