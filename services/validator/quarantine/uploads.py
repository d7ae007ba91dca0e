"""A replay's upload by the worker: however often it is sent, one manifest makes one batch."""

import json
from collections.abc import Sequence
from typing import Any

from contracts.errors import PipelineError
from contracts.identities import FileIdentity, batch_id_of
from contracts.layout import MANIFEST_UPLOAD_PREFIX
from contracts.messages import ObjectRef
from services.runtime.storage.aws import error_code, translated
from services.runtime.storage.upload_manifest import MANIFEST_METADATA, upload_manifest
from services.validator.quarantine.replay_upload import ReplayFile

IS_THERE = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


class ReplayUploads:
    """On a boto3 `s3` client; files that nobody names in a manifest become no batch."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def sent(self, name: str) -> str | None:
        """The batch of an upload that was sent before; None when there is none."""
        key = manifest_key(name)
        try:
            with translated(f"s3://{self._bucket}/{key}"):
                answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except PipelineError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        files = json.loads(answer["Body"].read())["files"]
        return batch_id_of([FileIdentity(self._bucket, **file) for file in files])

    def send(self, name: str, files: Sequence[ReplayFile], answers: ObjectRef) -> str:
        """Upload the files, then the manifest that makes them a batch; the batch's id.

        Of two who send the same side by side, the first one's manifest stands for both.
        """
        key = manifest_key(name)
        identities = [self._put(file, key) for file in files]
        body = json.dumps(upload_manifest(identities, answers), separators=(",", ":")).encode()
        try:
            with translated(f"s3://{self._bucket}/{key}"):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
        except PipelineError as error:
            standing = self.sent(name) if error_code(error) in IS_THERE else None
            if standing is None:
                raise
            return standing
        return batch_id_of(identities)

    def _put(self, file: ReplayFile, manifest: str) -> FileIdentity:
        with file.path.open("rb") as body, translated(f"s3://{self._bucket}/{file.key}"):
            answer = self._client.put_object(
                Bucket=self._bucket, Key=file.key, Body=body, Metadata={MANIFEST_METADATA: manifest}
            )
        return FileIdentity(self._bucket, file.key, answer["VersionId"])


def manifest_key(name: str) -> str:
    """Where the manifest of an upload of that name is put."""
    return f"{MANIFEST_UPLOAD_PREFIX}{name}.json"
