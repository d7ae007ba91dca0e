"""Questions on AWS: asked by SQS, answered by a document in S3; quarantined rows from Parquet."""

import json
import tempfile
from collections.abc import Mapping
from typing import Any

from contracts.clock import Clock, NewId
from contracts.layout import explanation_key, quarantined_rows_key
from services.api.questions.domain import ASK_AGAIN_AFTER, KEPT, Command, message_of
from services.api.questions.ports import TooLarge
from services.api.questions.remembered import Remembered
from services.runtime.storage.aws import translated
from services.runtime.storage.expired_documents import stored

MAX_PARQUET_BYTES = 64 << 20
"""What a function of 1 GB reads in a moment; quarantine of more is looked at by `ecp`."""
ROW_FIELDS = ("kind", "line", "column", "rule", "message", "raw", "version_id")


class Questions:
    """On boto3 clients; `queue_url` is the transformer's, `views_table` keeps what was asked."""

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
        self._bucket, self._queue_url = bucket, queue_url
        self._clock, self._new_id = clock, new_id

    def answer(self, question_id: str) -> dict[str, Any] | None:
        """The document that answers it; None before it is there."""
        body = stored(self._s3, self._bucket, explanation_key(question_id))
        return None if body is None else json.loads(body.read())

    def ask(self, command: Command) -> None:
        """Send the command, unless it was sent within the last minute."""
        if not self._remembered.ask(command.question_id, KEPT, ASK_AGAIN_AFTER):
            return
        message = message_of(command, self._new_id(), self._clock())
        with translated(f"queue {self._queue_url}"):
            self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message.to_json())

    def rows(
        self, batch_id: str, file_index: int, first: int, limit: int
    ) -> list[dict[str, Any]] | None:
        """Quarantined rows of a file by line, from the `first` (0) on; None when they are gone.

        Raises TooLarge.
        """
        body = stored(self._s3, self._bucket, quarantined_rows_key(batch_id, file_index))
        if body is None:
            return None
        content = body.read(MAX_PARQUET_BYTES + 1)
        if len(content) > MAX_PARQUET_BYTES:
            raise TooLarge(f"the quarantined rows have over {MAX_PARQUET_BYTES} bytes")
        # Only those who get rows wait for it: 0.2 s.
        import duckdb

        names = ", ".join(f'"{name}"' for name in ROW_FIELDS)
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as database:
            file.write(content)
            file.flush()
            found = database.execute(
                f'select {names} from read_parquet(?) order by line, "column", rule '
                "limit ? offset ?",
                [file.name, limit, first],
            ).fetchall()
            header = database.execute(
                "select decode(value) from parquet_kv_metadata(?) where decode(key) = 'columns'",
                [file.name],
            ).fetchone()
        names = json.loads(header[0]) if header else []
        return [dict(zip(ROW_FIELDS, row, strict=True)) | {"header": names} for row in found]
