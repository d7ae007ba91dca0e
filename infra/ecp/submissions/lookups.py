"""Files beside those that a source reads, which it looks values up in: given, there, or missing."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.layout import lookup_key
from contracts.sources.faults import did_you_mean
from contracts.sources.model import Source
from infra.ecp.submissions.directories import why_not_sendable
from infra.ecp.submissions.exports import see_that_it_is_there
from infra.ecp.target import Target
from infra.ecp.terminal.errors import WrongUsage

NOT_THERE = {"404", "NoSuchKey", "NotFound"}


def lookup_files(given: Iterable[str], source: Source | None) -> dict[str, Path]:
    """What `--lookup NAME=FILE` names, by key; raises WrongUsage for what the source does not ask.

    Each is a file that can be read.
    """
    return {
        lookup_key(source.name, name): path
        for name, path in lookups_by_name(given, source).items()
        if source
    }


def lookups_by_name(given: Iterable[str], source: Source | None) -> dict[str, Path]:
    """The same by the names of the lookups."""
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
        see_that_it_is_there(path)
        if (unsendable := why_not_sendable(path, key)) is not None:
            raise WrongUsage(f"{path}: {unsendable}")
        found[name] = path
    return found


def lookup_files_of_any(given: Iterable[str], sources: Sequence[Source]) -> dict[str, Path]:
    """As `lookup_files`, where headers told the sources: each lookup is that of who asks it."""
    found: dict[str, Path] = {}
    for each in given:
        name = each.partition("=")[0]
        asking = [source for source in sources if name in source.lookups]
        if len(asking) > 1:
            names = " and ".join(source.name for source in asking)
            raise WrongUsage(f"--lookup {each}: {names} both ask one: say whose, with --source")
        found |= lookup_files([each], next(iter([*asking, *sources]), None))
    return found


@dataclass(frozen=True)
class MissingLookup:
    """A lookup that a source asks, that is not given and not in the bucket."""

    source: str
    lookup: str
    key: str


def missing_lookups(source: Source, given: Iterable[str], target: Target) -> list[MissingLookup]:
    """Lookups that the source asks and that are neither given (keys) nor in the bucket."""
    if not source.lookups:
        return []
    s3, bucket = target.client("s3"), target.names.data_bucket
    asked = [
        MissingLookup(source.name, one, lookup_key(source.name, one)) for one in source.lookups
    ]
    sent = set(given)
    return [one for one in asked if one.key not in sent and not _is_there(s3, bucket, one.key)]


def stored_lookup(s3: Any, bucket: str, source: Source, name: str) -> Any:
    """A lookup as it lies in the bucket now, as a table of text.

    Raises what `s3` raises for a key that is not there, and DataRejected where it is no table.
    """
    from services.validator.sources.lookups import lookup_table

    key = lookup_key(source.name, name)
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return lookup_table(io.BytesIO(content), source, key)


def how_to_send(missing: Sequence[MissingLookup], bucket: str) -> str:
    """Which lookups a source still needs, and the two ways to send them."""
    names = " and ".join(one.lookup for one in missing)
    options = " ".join(f"--lookup {one.lookup}=FILE" for one in missing)
    places = " and ".join(f"s3://{bucket}/{one.key}" for one in missing)
    return (
        f"source {missing[0].source} looks values up in {names}: send it with `{options}`, "
        f"or put it at {places}"
    )


def upload_lookups(files: dict[str, Path], target: Target) -> None:
    """Put the lookups, each whole or not at all; sets that are sealed from now on use them."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    for key, path in files.items():
        with path.open("rb") as body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return False
        raise
    return True
