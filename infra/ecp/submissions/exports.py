"""Files that a source reads, and the lookups beside them: what `ecp submit --source` sends."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from contracts.input_names import why_not_an_input
from contracts.layout import incoming_key, lookup_key
from contracts.sources.faults import InvalidSource, did_you_mean
from contracts.sources.model import Source
from infra.ecp.sources.detection import sure_source_of
from infra.ecp.sources.keeping import parsed
from infra.ecp.sources.measuring import NotReadable
from infra.ecp.sources.own_sources import own_sources
from infra.ecp.submissions.directories import InputFile, why_not_sendable
from infra.ecp.target import Target
from infra.ecp.terminal.errors import WrongUsage

NOT_THERE = {"404", "NoSuchKey", "NotFound"}


def source_by_header(target: Callable[[], Target]) -> Callable[[Path], str | None]:
    """Names the source that a file certainly is of, by its whole header; None: nobody can tell.

    Sources of one's own are asked too; they are read once, when the first file asks.
    """
    own: list[Source] | None = None

    def sure(path: Path) -> str | None:
        nonlocal own
        if own is None:
            own = [*_own_sources(target())]
        try:
            return sure_source_of(path, own)
        except (WrongUsage, NotReadable):
            return None  # who asks says what is wrong with the file

    return sure


def export_files(paths: Sequence[Path], source: str) -> list[InputFile]:
    """The files of a source, those of a directory too; raises WrongUsage for what is none."""
    found = [export_file(path, source) for each in paths for path in _files_of(each)]
    if not found:
        raise WrongUsage(f"{', '.join(map(str, paths))}: no files to send")
    return found


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
        _see_that_it_is_there(path)
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
    _see_that_it_is_there(path)
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.is_file())
    faults = {each: why_not_an_input(incoming_key("any", each.name)) for each in files}
    return [each for each in files if not (faults[each] and faults[each].is_hidden)]  # type: ignore[union-attr]


def _see_that_it_is_there(path: Path) -> None:
    if not (path.is_symlink() or path.exists()):
        raise WrongUsage(f"{path}: there is no such file or directory")


def _own_sources(target: Target) -> Iterator[Source]:
    """The newest version of each that is one."""
    s3, bucket = target.client("s3"), target.names.data_bucket
    for versions in own_sources(s3, bucket).values():
        with suppress(InvalidSource):  # `ecp sources list` tells of it
            yield parsed(s3, bucket, versions[-1])


def _is_there(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_THERE:
            return False
        raise
    return True
