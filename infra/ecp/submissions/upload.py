"""Puts a submission into the data bucket, whole or not at all."""

import json
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.clock import Clock
from contracts.identities import FileIdentity, batch_id_of
from contracts.layout import MANIFEST_UPLOAD_PREFIX
from contracts.messages import ObjectRef
from infra.ecp.submissions.directories import InputFile
from services.runtime.storage.upload_manifest import MANIFEST_METADATA, upload_manifest

PARALLEL_UPLOADS = 4
PART_BYTES = 64 * 1024 * 1024
"""Larger files go in parts; S3 takes 5 GiB in one PutObject and 10,000 parts."""

OnUploaded = Callable[[InputFile, int, int], None]


@dataclass(frozen=True)
class Submission:
    """What was uploaded; `batch_id` holds unless files that waited before join the batch."""

    bucket: str
    manifest_key: str
    files: tuple[FileIdentity, ...]
    started_at: datetime

    @property
    def batch_id(self) -> str:
        """The id of the batch that consists of exactly these files."""
        return batch_id_of(self.files)


@dataclass
class Uploader:
    """Uploads the files of one submission, then the manifest that names their versions.

    When anything fails, or on Ctrl-C, exactly the versions that were uploaded are deleted and the
    exception travels on; `left_behind` are those that could not be. Files without their manifest
    become no batch, however long they lie there.
    """

    s3: Any
    bucket: str
    clock: Clock
    on_uploaded: OnUploaded = lambda _file, _done, _total: None
    one_statement: bool = False
    """Whether the files are parts of one export, which then is one statement."""
    is_submitted: bool = False
    """Whether the manifest is there: what happens then is the pipeline's."""
    left_behind: list[FileIdentity] = field(default_factory=list)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def submit(self, files: Sequence[InputFile], answers: ObjectRef | None = None) -> Submission:
        """Upload everything; the manifest goes last and makes it count.

        `answers` names the quarantined rows that the files correct (ReplayAnswers).
        """
        started_at = self.clock()
        manifest_key = manifest_upload_key(started_at, secrets.token_hex(3))
        with ThreadPoolExecutor(PARALLEL_UPLOADS, thread_name_prefix="upload") as pool:
            futures = [pool.submit(self._upload, file, manifest_key) for file in files]
            try:
                for done, (file, future) in enumerate(zip(files, futures, strict=True), start=1):
                    future.result()
                    self.on_uploaded(file, done, len(files))
            except BaseException:
                self._roll_back(futures)
                raise
            identities = tuple(future.result() for future in futures)
            manifest = pool.submit(self._put_manifest, manifest_key, identities, answers)
            try:
                manifest.result()
            except BaseException:
                wait_for([manifest])
                self.is_submitted = manifest.exception() is None
                if not self.is_submitted:
                    self._roll_back(futures)
                raise
        self.is_submitted = True
        self.left_behind.clear()
        return Submission(self.bucket, manifest_key, identities, started_at)

    def _upload(self, file: InputFile, manifest_key: str) -> FileIdentity:
        metadata = {MANIFEST_METADATA: manifest_key}
        if file.path.stat().st_size > PART_BYTES:
            version_id = self._put_in_parts(file, metadata)
        else:
            with file.path.open("rb") as body:
                answer = self.s3.put_object(
                    Bucket=self.bucket, Key=file.key, Body=body, Metadata=metadata
                )
            version_id = answer["VersionId"]
        identity = FileIdentity(self.bucket, file.key, version_id)
        self.left_behind.append(identity)
        return identity

    def _put_in_parts(self, file: InputFile, metadata: dict[str, str]) -> str:
        """A large file in parts; an upload that fails half way leaves no parts behind."""
        where = {"Bucket": self.bucket, "Key": file.key}
        upload = {
            **where,
            "UploadId": self.s3.create_multipart_upload(**where, Metadata=metadata)["UploadId"],
        }
        try:
            parts: list[dict[str, Any]] = []
            with file.path.open("rb") as source:
                while part := source.read(PART_BYTES):
                    if self._stopped.is_set():
                        raise InterruptedError(f"{file.path}: the upload was stopped")
                    number = len(parts) + 1
                    answer = self.s3.upload_part(**upload, PartNumber=number, Body=part)
                    parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            answer = self.s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            self.s3.abort_multipart_upload(**upload)
            raise
        return str(answer["VersionId"])

    def _put_manifest(
        self, key: str, files: Sequence[FileIdentity], answers: ObjectRef | None
    ) -> None:
        manifest = upload_manifest(files, answers, one_statement=self.one_statement)
        self.s3.put_object(
            Bucket=self.bucket,
            Key=key,
            Body=json.dumps(manifest, separators=(",", ":")).encode(),
            ContentType="application/json",
        )

    def _roll_back(self, futures: Sequence[Future[FileIdentity]]) -> None:
        """Let what is under way finish, then delete exactly what was uploaded."""
        self._stopped.set()
        for future in futures:
            future.cancel()
        wait_for(futures)
        for file in tuple(self.left_behind):
            try:
                self.s3.delete_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)
            except (BotoCoreError, ClientError):
                continue  # it stays in left_behind, which is told; the first fault travels on
            self.left_behind.remove(file)


def manifest_upload_key(at: datetime, suffix: str) -> str:
    """`manifests/20250707T120000Z-a1b2c3.json`: sorted by time, unique by the suffix."""
    return f"{MANIFEST_UPLOAD_PREFIX}{at:%Y%m%dT%H%M%SZ}-{suffix}.json"
