"""Which keys can be input files by their name alone, and the nearest right name of one that cannot.

The same rules hold for an S3 key that the aggregator notices and for a file that `ecp` would upload
(docs/design.md, Aggregation). Pure: whether there is an object under the key is not known here.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

from contracts.layout import (
    CSV_SUFFIXES,
    EXPORT_SUFFIXES,
    INCOMING_PREFIX,
    KINDS,
    MANIFEST_UPLOAD_PREFIX,
    MAX_INPUT_NAME_BYTES,
    is_csv,
    is_input,
    kind_of,
    lookup_of,
    name_bytes,
    source_of,
)

_FOLDERS = " or ".join((", ".join(f"{kind}/" for kind in KINDS[:-1]), f"{KINDS[-1]}/"))
_ENDINGS = " or ".join(CSV_SUFFIXES)
_LIKENESS = 0.8
"""How alike two folder names are for one to be a slip of the other (difflib's ratio, 0 to 1)."""

_OTHER_WORDS = {
    "ordereditems": "order_items",
    "orderdetails": "order_items",
    "orderlines": "order_items",
    "orderlineitems": "order_items",
    "orderpositions": "order_items",
    "lineitems": "order_items",
    "manifests": MANIFEST_UPLOAD_PREFIX.rstrip("/"),
    "incoming": INCOMING_PREFIX.rstrip("/"),
}
"""What people call these folders and spelling does not lead to, without case and punctuation."""

_HIDDEN_NAMES = frozenset(
    {
        "__macosx",
        "#recycle",
        "$recycle.bin",
        "@eadir",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "network trash folder",
        "system volume information",
        "temporary items",
        "thumbs.db",
    }
)
_JOB_MARKS = (
    "_success",
    "_temporary",
    "_committed_",
    "_started_",
    "_delta_log",
    "_metadata",
    "_spark_metadata",
)
"""What Hadoop, Spark and Delta write beside the data."""

_UNFINISHED = (".part", ".partial", ".crdownload", ".filepart", ".download", ".tmp", ".temp")
_COPIES = (".bak", ".old", ".orig", ".swp", ".crc", ".md5", ".sha256", ".asc", ".sig")
_PACKED = (".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz", ".zst", ".lz4", ".br", ".z")
_SHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_OTHER_FORMATS = (".parquet", ".avro", ".orc", ".json", ".jsonl", ".ndjson", ".xml", ".sql", ".pdf")
_PLAIN = (".tsv", ".tab", ".txt", ".text", ".dat", ".asc", ".psv", ".ssv", ".cvs", ".csb", ".cs")
_GZIPPED = re.compile(r"(\.csv)?[._-]?(gz|gzip)$", re.IGNORECASE)
_NUMBERED_COPY = re.compile(r"(\.csv(?:\.gz)?)(?:[.~_ -]?\d+|~|[.\s]+|\s*\(\d+\))$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NotAnInput:
    """Why no object under a key is an input, and the key that was probably meant; None: no guess.

    `is_hidden`: it is there for a program's own use, and nobody meant to send it.
    """

    reason: str
    did_you_mean: str | None = None
    is_hidden: bool = False


def why_not_an_input(key: str) -> NotAnInput | None:
    """Why no object under this key is read as an input, by its name alone; None when it may be one.

    An upload manifest is no input either: who reads manifests looks at their prefix first. Hidden
    files come before all else: nobody wants to know how `._a.csv` should have been called.
    """
    if key.endswith("/"):
        return NotAnInput("it is a folder marker, not a file", is_hidden=True)
    if (hidden := _why_hidden(key)) is not None:
        return NotAnInput(hidden, is_hidden=True)
    if name_bytes(key) > MAX_INPUT_NAME_BYTES:
        return NotAnInput(
            f"its name takes {name_bytes(key)} bytes, control characters, quotes and backslashes "
            f"escaped, and may take {MAX_INPUT_NAME_BYTES}; give it a shorter one"
        )
    if key.startswith(INCOMING_PREFIX):
        return _why_no_export(key)
    folder_fault = None if kind_of(key) else f"it lies in none of {_FOLDERS}"
    name_fault = None if is_csv(key) else _why_no_csv(key)
    if folder_fault is None and name_fault is None:
        return None
    reason = "; ".join(fault for fault in (folder_fault, name_fault) if fault)
    meant = _nearest_key(key)
    return NotAnInput(reason, None if meant and _is_no_input(meant) else meant)


def nearest_folder(name: str) -> str | None:
    """The folder of ours that a name is a slip of: `Order-Item` means `order_items`; else None."""
    bare = _bare(name)
    folders = {_bare(kind): kind for kind in KINDS} | _OTHER_WORDS
    if bare in folders:
        return folders[bare]
    close = get_close_matches(bare, folders, n=1, cutoff=_LIKENESS)
    return folders[close[0]] if close else None


def nearest_name(name: str) -> str | None:
    """What a file that is no CSV by its name would be called if it were one; None: no guess."""
    lower = name.lower()
    if lower.endswith(CSV_SUFFIXES):
        return name
    if (copy := _NUMBERED_COPY.search(name)) is not None:
        return name[: copy.start()] + copy.group(1)
    if (packed := _GZIPPED.search(name)) is not None:
        return f"{name[: packed.start()]}.csv.gz" if packed.start() else None
    if lower.endswith((*_UNFINISHED, *_COPIES, *_PACKED)) or ".csv." in lower:
        rest = name.rpartition(".")[0]
        if rest.lower().endswith(CSV_SUFFIXES):
            return rest
    if lower.endswith((*_PACKED, *_SHEETS, *_OTHER_FORMATS, *_PLAIN)):
        return f"{name.rpartition('.')[0]}.csv"
    return f"{name.rstrip('. ')}.csv"


def _is_no_input(key: str) -> bool:
    """Whether a guess of ours would not be taken either: `orders/.csv` for `orders/.`."""
    is_manifest = key.startswith(MANIFEST_UPLOAD_PREFIX)
    return not is_manifest and (bool(_why_hidden(key)) or not is_input(key))


def _why_no_export(key: str) -> NotAnInput | None:
    """Why a key under `incoming/` holds neither rows nor a lookup."""
    if is_input(key) or lookup_of(key):
        return None
    below = key.removeprefix(INCOMING_PREFIX)
    source, _, name = below.partition("/")
    if not name or not source:
        return NotAnInput(f"a file lies in the folder of its source: {INCOMING_PREFIX}<source>/")
    if source_of(key) is None:
        meant = f"{INCOMING_PREFIX}{source}/lookups/"
        stem = name.rpartition("/")[2].split(".")[0]
        return NotAnInput(f"a lookup lies at {meant}<lookup>.csv", f"{meant}{stem}.csv")
    if (nearest := nearest_name(name.rpartition("/")[2])) is not None:
        nearest = f"{key.rpartition('/')[0]}/{nearest}"
    reason = _why_no_csv(key).replace(_ENDINGS, " or ".join(EXPORT_SUFFIXES[::2]))
    return NotAnInput(reason, nearest if nearest and is_input(nearest) else None)


def _why_hidden(key: str) -> str | None:
    for part in key.split("/"):
        if part.startswith("._") or part.lower() == "__macosx":
            return f"{part} was made by macOS and is not data"
        if part.startswith("~$") or part.startswith(".~lock."):
            return f"{part} is the lock file of an office program that has the real one open"
        if len(part) > 2 and part.startswith("#") and part.endswith("#"):
            return f"{part} is what an editor keeps of a file that was not saved"
        if part.endswith(":Zone.Identifier"):
            return f"{part} is Windows' note of where a file came from, and is not data"
        if part.strip(".") and part.startswith("."):
            return f"{part} is a hidden file: its name begins with a dot"
        if part.lower() in _HIDDEN_NAMES:
            return f"{part} belongs to the operating system and is not data"
        if part.lower().startswith(_JOB_MARKS) and not is_csv(part):
            return f"{part} was left by the job that wrote the folder and is not data"
    return None


def _why_no_csv(key: str) -> str:
    name = key.rpartition("/")[2]
    lower = name.lower()
    if lower.endswith(_UNFINISHED):
        return (
            f"{_last(name)} is what an unfinished transfer ends in; send the file when it is whole"
        )
    if lower.endswith(_COPIES):
        return f"{_last(name)} is the ending of a copy or of a checksum; only {_ENDINGS} is read"
    if lower.endswith(_PACKED):
        return f"{_last(name)} is not unpacked; unpack it, or pack the CSV with gzip (.csv.gz)"
    if lower.endswith(_SHEETS):
        return f"{_last(name)} is a spreadsheet; save it as CSV (UTF-8)"
    if lower.endswith(_OTHER_FORMATS):
        return f"{_last(name)} is not read; export it as CSV"
    return f"its name does not end in {_ENDINGS}; if it holds CSV, rename it"


def _last(name: str) -> str:
    return f".{name.rpartition('.')[2]}"


def _nearest_key(key: str) -> str | None:
    """The key with its folder and its ending set right; None when no folder comes to mind."""
    name = key.rpartition("/")[2]
    parts = [part for part in unquote(key).replace("\\", "/").split("/") if part.strip(". ")]
    if not parts:
        return None
    if kind_of(key):
        nearest = nearest_name(name)
        return f"{key[: -len(name)]}{nearest}" if nearest and name else None
    for position, part in enumerate(parts[:-1]):
        folder = nearest_folder(part)
        if folder is not None and _may_hold(folder, parts[-1]):
            return _key(folder, parts[position + 1 :])
    for kind in sorted(KINDS, key=len, reverse=True):  # order_items before orders
        if _bare(parts[-1]).startswith(_bare(kind)):
            return _key(kind, parts[-1:])
    return None


def _may_hold(folder: str, name: str) -> bool:
    is_manifest = folder == MANIFEST_UPLOAD_PREFIX.rstrip("/")
    return name.lower().endswith(".json") if is_manifest else True


def _key(folder: str, below: list[str]) -> str | None:
    *between, last = below
    name = last if folder not in KINDS else nearest_name(last)
    return "/".join((folder, *between, name)) if name else None


def _bare(name: str) -> str:
    """Letters and digits only, in lower case: `Order-Items ` is `orderitems`."""
    return re.sub(r"[\W_]+", "", name.casefold())
