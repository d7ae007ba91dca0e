"""Where things lie in the data and archive buckets: pure key functions, the only shared paths."""

import json

KINDS = ("orders", "order_items", "products")
CSV_SUFFIXES = (".csv", ".csv.gz")

FILE_GONE = "file.gone"
"""The rule of a file report that says: the pinned version was deleted before it was read."""

EXPORT_SUFFIXES = (*CSV_SUFFIXES, ".txt", ".txt.gz", ".tsv", ".tsv.gz")
"""What files of a source may end in."""

MANIFEST_UPLOAD_PREFIX = "manifests/"
INCOMING_PREFIX = "incoming/"
"""Files that a source reads: `incoming/<source>/<name>`, beside them `lookups/<lookup>.csv`."""
SOURCES_PREFIX = "sources/"
"""Sources of one's own: `sources/<name>/v<N>.yaml`."""
_LOOKUPS = "lookups"
MAX_INPUT_NAME_BYTES = 980
MAX_MANIFEST_NAME_BYTES = 256
"""Of a key as JSON text: a thousand of them travel in messages, where quotes, backslashes and
control characters take up to six times their bytes. S3 takes keys of 1,024 bytes (user guide,
Naming objects), and under its prefix in archive and quarantine an input's must not be longer."""
PROCESSING_PREFIX = "processing/"
QUARANTINE_PREFIX = "quarantine/"
REPLAY_ANSWERS_PREFIX = f"{QUARANTINE_PREFIX}answers/"
FACTS_DATABASE = "ecommerce"
"""Glue's database of the facts tables, which lie in a bucket of their own."""


def kind_of(key: str) -> str | None:
    """The kind of file that a key in the data bucket holds, by its prefix; None if it has none."""
    prefix, separator, rest = key.partition("/")
    return prefix if separator and rest and prefix in KINDS else None


def source_of(key: str) -> str | None:
    """The name of the source that an input is read by, by its folder; None for a plain file."""
    if not key.startswith(INCOMING_PREFIX):
        return None
    name, separator, rest = key.removeprefix(INCOMING_PREFIX).partition("/")
    is_input = separator and rest and not rest.startswith(f"{_LOOKUPS}/")
    return name if name and is_input else None


def lookup_of(key: str) -> tuple[str, str] | None:
    """Source and name of the lookup that a key holds; None for any other key."""
    parts = key.split("/")
    if not key.startswith(INCOMING_PREFIX) or len(parts) != 4 or parts[2] != _LOOKUPS:
        return None
    name = parts[3].removesuffix(".csv")
    return (parts[1], name) if parts[1] and name and name != parts[3] else None


def incoming_key(source: str, name: str) -> str:
    """A file of a source; `name` may have folders."""
    return f"{INCOMING_PREFIX}{source}/{name}"


def lookup_key(source: str, lookup: str) -> str:
    """A file that a source looks values up in."""
    return f"{INCOMING_PREFIX}{source}/{_LOOKUPS}/{lookup}.csv"


def is_input(key: str) -> bool:
    """Whether a key may hold rows by its folder, length and ending: plain, or of a source."""
    if name_bytes(key) > MAX_INPUT_NAME_BYTES:
        return False
    if kind_of(key) is not None:
        return is_csv(key)
    return source_of(key) is not None and key.lower().endswith(EXPORT_SUFFIXES)


def name_bytes(key: str) -> int:
    """What a key takes in a message: its bytes as JSON text, without the quotes around it."""
    return len(json.dumps(key, ensure_ascii=False).encode(errors="surrogatepass")) - 2


def is_csv(key: str) -> bool:
    """Whether the key's ending is one that the pipeline reads (`.csv`, `.csv.gz`)."""
    return key.lower().endswith(CSV_SUFFIXES)


def source_key(name: str, version: int) -> str:
    """A version of a source: of one's own in the data bucket, of a shipped one as it is called."""
    return f"{SOURCES_PREFIX}{name}/v{version}.yaml"


def manifest_key(batch_id: str) -> str:
    """The pinned manifest of a sealed batch."""
    return f"{PROCESSING_PREFIX}{batch_id}/manifest.json"


def carried_over_key(batch_id: str) -> str:
    """What opens the set after that batch's, when it is more than one transaction holds."""
    return f"{PROCESSING_PREFIX}{batch_id}/carried-over.json"


def staged_key(batch_id: str, kind: str, file_index: int) -> str:
    """The accepted rows of one input, as Parquet."""
    return f"{PROCESSING_PREFIX}{batch_id}/{kind}/{file_index:04d}.parquet"


def file_report_key(batch_id: str, file_index: int) -> str:
    """What the validator says of one input (FileReport)."""
    return f"{PROCESSING_PREFIX}{batch_id}/reports/{file_index:04d}.json"


def result_key(batch_id: str) -> str:
    """What the transformer says of a batch (BatchResult)."""
    return f"{PROCESSING_PREFIX}{batch_id}/result.json"


def difference_key(batch_id: str) -> str:
    """What a batch changed (BatchChanges), beside its result."""
    return f"{PROCESSING_PREFIX}{batch_id}/difference.json"


def explanation_key(question_id: str) -> str:
    """The document that says what a number is made of."""
    return f"{PROCESSING_PREFIX}explanations/{question_id}.json"


def quarantined_rows_prefix(batch_id: str) -> str:
    """All quarantined rows of one batch."""
    return f"{QUARANTINE_PREFIX}{batch_id}/rows/"


def quarantined_rows_key(batch_id: str, file_index: int) -> str:
    """The quarantined rows of one input, as Parquet."""
    return f"{quarantined_rows_prefix(batch_id)}{file_index:04d}.parquet"


def quarantined_file_key(batch_id: str, key: str) -> str:
    """A rejected input, byte for byte."""
    return f"{QUARANTINE_PREFIX}{batch_id}/files/{key}"


def corrections_key(replay_id: str) -> str:
    """Corrected rows that somebody asks to replay; deleted when they are answered."""
    return f"{QUARANTINE_PREFIX}corrections/{replay_id}.json"


def replay_key(replay_id: str) -> str:
    """What is said of corrected rows, and what became of them (QuarantineReplay)."""
    return f"{PROCESSING_PREFIX}replays/{replay_id}.json"


def replay_input_key(kind: str, name: str) -> str:
    """The corrected rows of a kind, as a replay uploads them."""
    return f"{kind}/replays/{name}.csv"


def replay_answers_key(name: str) -> str:
    """Which quarantined rows a replay answers (ReplayAnswers); expires with quarantine."""
    return f"{REPLAY_ANSWERS_PREFIX}{name}.json"


def archive_prefix(batch_id: str) -> str:
    """Everything that is kept of a processed batch, in the archive bucket."""
    return f"archive/{batch_id}/"


def audit_prefix(batch_id: str) -> str:
    """The documents of a processed batch, beside its inputs in the archive bucket."""
    return f"{archive_prefix(batch_id)}_audit/"


def archived_difference_key(batch_id: str) -> str:
    """What a batch changed, for as long as its inputs are kept."""
    return f"{audit_prefix(batch_id)}difference.json"


ERASURES_PREFIX = "erasures/"
OPEN_ERASURES_PREFIX = f"{ERASURES_PREFIX}open/"


def erasure_request_key(erasure_id: str) -> str:
    """Whom an erasure is about (ErasureRequest); in the archive bucket, until it is done."""
    return f"{OPEN_ERASURES_PREFIX}{erasure_id}/user.json"


def pseudonym_erasure_key(erasure_id: str) -> str:
    """The same without the user's id, for whoever must not know it."""
    return f"{OPEN_ERASURES_PREFIX}{erasure_id}/pseudonym.json"


def erasure_receipt_key(erasure_id: str) -> str:
    """What was erased (ErasureReceipt); in the archive bucket, for good."""
    return f"{ERASURES_PREFIX}{erasure_id}.json"


def stored_input(key: str) -> str | None:
    """The key that an archived or quarantined input came under, None for other objects.

    `archive/<batch_id>/<key>` and `quarantine/<batch_id>/files/<key>`.
    """
    parts = key.split("/", 3)
    if len(parts) < 4:
        return None
    first, rest = f"{parts[2]}/{parts[3]}", parts[3]
    came = first if parts[0] == "archive" else rest if parts[2] == "files" else None
    if parts[0] not in ("archive", "quarantine") or came is None:
        return None
    return came if kind_of(came) or source_of(came) else None


def kind_of_stored(key: str) -> str | None:
    """The kind of plain file that an archived or quarantined key holds, None for other objects."""
    came = stored_input(key)
    return kind_of(came) if came else None


def dropped_letter_key(queue: str, message_id: str) -> str:
    """What is kept of a dead letter that a person dropped; in the archive bucket, for good."""
    return f"dropped-letters/{queue}/{message_id}.json"
