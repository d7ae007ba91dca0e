"""Documents that may have expired by lifecycle when somebody asks for them."""

from typing import Any

from contracts.errors import PipelineError
from contracts.messages import ObjectRef
from services.runtime.storage.aws import error_code
from services.runtime.storage.documents import ObjectStore

GONE = frozenset({"NoSuchKey", "NoSuchVersion"})


def read_unless_expired(objects: ObjectStore, ref: ObjectRef) -> Any | None:
    """The document, None when S3 has it no more; raises PipelineError for any other fault."""
    try:
        return objects.get_json(ref)
    except PipelineError as error:
        if error_code(error) in GONE:
            return None
        raise
