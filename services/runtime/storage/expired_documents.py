"""Documents that may not be there yet, or have expired by lifecycle, when somebody asks."""

from collections.abc import Collection
from typing import Any

from contracts.errors import PipelineError
from contracts.messages import ObjectRef
from services.runtime.storage.aws import error_code, translated
from services.runtime.storage.documents import ObjectStore

GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


def read_unless_expired(
    objects: ObjectStore, ref: ObjectRef, codes: Collection[str] = GONE
) -> Any | None:
    """The document, None when S3 has it no more; raises PipelineError for any other fault.

    `codes`: what S3 says of one that is gone; to who may not list the bucket it says NOT_THERE.
    """
    try:
        return objects.get_json(ref)
    except PipelineError as error:
        if error_code(error) in codes:
            return None
        raise


def stored(s3: Any, bucket: str, key: str) -> Any:
    """The body of an object's newest version, to be read; None where there is none."""
    try:
        with translated(f"s3://{bucket}/{key}"):
            return s3.get_object(Bucket=bucket, Key=key)["Body"]
    except PipelineError as error:
        if error_code(error) in GONE:
            return None
        raise
