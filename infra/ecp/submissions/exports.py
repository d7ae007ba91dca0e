"""Files that a source reads, and the lookups beside them: what `ecp submit --source` sends."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.errors import DataRejected
from contracts.input_names import why_not_an_input
from contracts.layout import SOURCES_PREFIX, incoming_key, lookup_key, own_source_key
from contracts.sources.faults import did_you_mean
from contracts.sources.model import Source
from contracts.sources.shipped import parse_shipped, shipped_source, shipped_sources
from infra.ecp.submissions.directories import InputFile, why_not_sendable
from infra.ecp.submissions.intake import MAX_FILES
from infra.ecp.target import Target
from infra.ecp.terminal.errors import WrongUsage

NOT_THERE = {"404", "NoSuchKey", "NotFound"}


def source_named(name: str, target: Target) -> Source:
    """The newest version of a source, shipped or in the data bucket; raises WrongUsage."""
    if name in shipped_sources():
        return shipped_source(name)
    own = _own_versions(target)
    if name not in own:
        names = [*shipped_sources(), *own]
        raise WrongUsage(f"no source {name}{did_you_mean(name, names)}; add it: `ecp sources add`")
    key = own_source_key(name, max(own[name]))
    s3, bucket = target.client("s3"), target.names.data_bucket
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return parse_shipped(content, key)
    except DataRejected as refused:
        raise WrongUsage(f"source {name} cannot be used: {refused}") from refused


def export_files(paths: Sequence[Path], source: str) -> list[InputFile]:
    """The files of a source, those of a directory too; raises WrongUsage for what is none."""
    found = [export_file(path, source) for each in paths for path in _files_of(each)]
    by_key: dict[str, InputFile] = {}
    for file in found:
        other = by_key.setdefault(file.key, file).path
        if other.resolve() != file.path.resolve():
            raise WrongUsage(f"{other} and {file.path} would both be uploaded as {file.key}")
    if not by_key:
        raise WrongUsage(f"{', '.join(map(str, paths))}: no files to send")
    if len(by_key) > MAX_FILES:
        raise WrongUsage(f"{len(by_key)} files; one batch takes {MAX_FILES}: submit them in parts")
    return [*by_key.values()]


def export_file(path: Path, source: str) -> InputFile:
    """One file of a source, under its own name; raises WrongUsage for what is no file of one."""
    key = incoming_key(source, path.name)
    if (fault := why_not_an_input(key)) is not None:
        meant = (fault.did_you_mean or "").rpartition("/")[2]
        raise WrongUsage(f"{path}: {fault.reason}" + (f"; did you mean {meant}?" if meant else ""))
    if (unsendable := why_not_sendable(path, key)) is not None:
        raise WrongUsage(f"{path}: {unsendable}")
    return InputFile(path, f"source {source}", key, source)


def lookup_files(given: Iterable[str], source: Source | None) -> dict[str, Path]:
    """What `--lookup NAME=FILE` names, by key; raises WrongUsage for what the source does not ask.

    Each is a file that can be read.
    """
    found: dict[str, Path] = {}
    for each in given:
        name, separator, file = each.partition("=")
        path = Path(file)
        if not separator or not name or not file:
            raise WrongUsage(f"--lookup {each}: say it as NAME=FILE (`categories=categories.csv`)")
        if source is None:
            raise WrongUsage(f"--lookup {each}: say whose lookup it is, with --source")
        if name not in source.lookups:
            asked = did_you_mean(name, [*source.lookups]) if source.lookups else "; it has none"
            raise WrongUsage(f"source {source.name} asks no lookup {name}{asked}")
        key = lookup_key(source.name, name)
        if (unsendable := why_not_sendable(path, key)) is not None:
            raise WrongUsage(f"{path}: {unsendable}")
        found[key] = path
    return found


def missing_lookups(source: Source, given: Iterable[str], target: Target) -> list[str]:
    """Lookups that the source asks and that are neither given (keys) nor in the bucket."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    keys = {name: lookup_key(source.name, name) for name in source.lookups}
    sent = set(given)
    return [
        name for name, key in keys.items() if key not in sent and not _is_there(s3, bucket, key)
    ]


def upload_lookups(files: dict[str, Path], target: Target) -> None:
    """Put the lookups, each whole or not at all; sets that are sealed from now on use them."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    for key, path in files.items():
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        if not (path.is_file() or path.is_symlink() or path.exists()):
            raise WrongUsage(f"{path}: there is no such file or directory")
        return [path]
    files = sorted(each for each in path.iterdir() if each.is_file())
    faults = {each: why_not_an_input(incoming_key("any", each.name)) for each in files}
    return [each for each in files if not (faults[each] and faults[each].is_hidden)]  # type: ignore[union-attr]


def _own_versions(target: Target) -> dict[str, list[int]]:
    """Own sources by name with their versions, by the keys that stand in the bucket."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    found: dict[str, list[int]] = {}
    for page in pages.paginate(Bucket=target.names.data_bucket, Prefix=SOURCES_PREFIX):
        for entry in page.get("Contents", ()):
            name, _, version = entry["Key"].removeprefix(SOURCES_PREFIX).partition("/")
            number = version.removeprefix("v").removesuffix(".yaml")
            if number.isdecimal() and version == f"v{number}.yaml":
                found.setdefault(name, []).append(int(number))
    return found


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return False
        raise
    return True
