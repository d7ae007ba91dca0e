"""`ecp sources add`, `list`, `show` and `remove`: those that ship and those of one's own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.layout import source_of
from contracts.sources.faults import did_you_mean
from contracts.sources.model import Source
from contracts.sources.shipped import ROOT, shipped_source, shipped_sources
from infra.ecp.sources.own_sources import (
    ReadSource,
    added,
    current_own,
    is_shipped,
    last_number,
    newest_first,
    own_sources,
    read_own,
)
from infra.ecp.target import Target, current_target
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.options import AsJson
from infra.ecp.terminal.output import (
    confirm,
    print_json,
    print_line,
    print_lines,
    print_note,
    print_table,
    print_verbatim,
    styled,
)
from services.runtime.wording import plural

_NAMED = 5
_ARE = ("is", "are")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a source.")]


def add(
    document: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="A source, as `draft` prints it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Add a source of your own, or its next version; from then on its files are taken in.

    The document is checked first, every expression too. A version that is there never changes:
    what differs from the newest becomes the next one, whatever number the document says, and
    batches that were sealed before keep theirs. The names of sources that ship are taken.

    Exit code: 1 the document is no source; nothing is added then.

    Example: `ecp sources add my-shop.yaml`
    """
    if not document.is_file():
        raise WrongUsage(f"{document}: there is no such file")
    content = document.read_bytes()
    name = added(content, str(document), None, 0).source.name
    if is_shipped(name):
        raise WrongUsage(f"{document}: {name} comes with the pipeline; give yours another name")
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    versions = own_sources(s3, bucket, name).get(name)
    newest = read_own(s3, bucket, versions[-1]) if versions else None
    one = added(content, str(document), newest, last_number(s3, bucket, name))
    if one.is_new:
        _put(s3, bucket, one.key, one.content)
    refused = refused_files(target, name) if one.is_new and versions else []
    if as_json:
        said = {"key": one.key, "added": one.is_new, "refused_files": refused}
        print_json(_document(one.source, "own") | said)
    elif one.is_new:
        print_line(
            styled(
                "[bold green]{}[/] is added: files under incoming/{}/ give {}",
                one.source.label, one.source.name, " and ".join(one.source.kinds),
            )
        )  # fmt: skip
    else:
        print_line(f"{one.source.label} is there already, and just like this")
    if refused and not as_json:
        print_line(f"{plural(len(refused), 'file')} of it {_ARE[len(refused) > 1]} still refused;")
        print_line(f"once {one.source.label} reads them, send them again under their names:")
        for key in refused[:_NAMED]:
            path = f"again/{key.rpartition('/')[2]}"
            print_verbatim(f"  ecp quarantine export {key} --to {path}")
            print_verbatim(f"  ecp submit {path} --source {name} --wait")


def list_sources(as_json: AsJson = False) -> None:
    """Every source there is: those that ship, and your own where a cloud is found.

    Example: `ecp sources list`
    """
    shipped = [shipped_source(name) for name in shipped_sources()]
    target = _cloud()
    own = [*current_own(target.client("s3"), target.names.data_bucket)] if target else []
    if as_json:
        print_json([_document(one, "shipped") for one in shipped] + [*map(_own_document, own)])
        return
    rows = [(source, "shipped") for source in shipped] + [
        (one.source, "own") for one in own if one.source
    ]
    print_table(
        "Sources",
        ("name", "version", "origin", "gives", "title"),
        [
            (source.name, f"v{source.version}", origin, ", ".join(source.kinds), source.title)
            for source, origin in rows
        ],
    )
    for one in own:
        if one.fault:
            print_line(styled("[bold yellow]{} cannot be used:[/]", one.where.label))
            print_lines(str(one.fault))


def show(
    name: Name,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Another than the newest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The YAML of a source, the columns that it needs, and the files beside it that it asks.

    Example: `ecp sources show shopify-orders`
    """
    if is_shipped(name):
        source = read_source(name, version)
        content = (ROOT / name / f"v{source.version}.yaml").read_bytes()
        said, fault = _document(source, "shipped"), None
    else:
        newest = next(iter(_versions(name, version)))
        content, fault = newest.content, newest.fault
        said = _own_document(newest)
    text = content.decode("utf-8-sig", errors="replace")
    if as_json:
        print_json(said | {"text": text})
        return
    for line in text.splitlines():
        print_verbatim(line)
    if fault:
        print_note(f"it cannot be used: {fault}")


def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a source of your own: files under its folder wait from then on, and nothing is lost.

    Batches that were sealed keep the version that they are pinned to. Added again, it gets the
    number after the last that it ever had.

    Example: `ecp sources remove my-shop`
    """
    if is_shipped(name):
        raise WrongUsage(f"{name} comes with the pipeline and cannot be removed")
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    versions = own_sources(s3, bucket, name).get(name)
    if not versions:
        raise WrongUsage(f"there is no source {name} of your own; `ecp sources list` has them all")
    if not yes:
        confirm(f"remove {name} ({plural(len(versions), 'version')}) from {bucket}?")
    for each in reversed(versions):
        s3.delete_object(Bucket=bucket, Key=each.key)
    if as_json:
        print_json({"source": name, "removed": [each.key for each in versions]})
    else:
        print_line(f"{name} is removed; files that come under incoming/{name}/ wait for a source")


def read_source(name: str, version: int | None = None) -> Source:
    """A source by its name, in the version that files are read by unless one is named.

    Raises WrongUsage when there is none, InvalidSource when none of its versions can be used.
    """
    if is_shipped(name):
        versions = shipped_sources()[name]
        if version not in (None, *versions):
            raise WrongUsage(f"there is no {name} v{version}; the newest is v{versions[-1]}")
        return shipped_source(name, version)
    found = [*_versions(name, version)]
    if found[-1].source is None:
        raise found[0].fault or CommandFailed(f"{name} cannot be read")
    return found[-1].source


def refused_files(target: Target, name: str) -> list[str]:
    """The keys of a source's files that were refused whole, and for which nothing came since."""
    from infra.ecp.quarantine.stores import resolutions_in
    from services.validator.quarantine.stored import listing

    s3, bucket = target.client("s3"), target.names.data_bucket
    files = [file for file in listing(s3, bucket).files if source_of(file.key) == name]
    if not files:
        return []
    resolutions = resolutions_in(target)
    is_open = [resolutions.of_file(file.batch_id, file.key) == "open" for file in files]
    return sorted({file.key for file, still in zip(files, is_open, strict=True) if still})


def _versions(name: str, version: int | None) -> list[ReadSource]:
    """Versions of a source of one's own, the newest first, down to one that can be used."""
    target = current_target()
    s3, bucket = target.client("s3"), target.names.data_bucket
    own = own_sources(s3, bucket)
    if name not in own:
        guess = did_you_mean(name, [*shipped_sources(), *own])
        raise WrongUsage(f"there is no source {name}{guess}")
    wanted = [each for each in own[name] if version in (None, each.version)]
    if not wanted:
        raise WrongUsage(f"there is no {name} v{version}; the newest is v{own[name][-1].version}")
    return [*newest_first(s3, bucket, wanted)]


def usable_own(target: Target) -> list[Source]:
    """Each source of one's own in the version that files are read by."""
    found = current_own(target.client("s3"), target.names.data_bucket)
    return [one.source for one in found if one.source]


def own_of_the_cloud() -> list[Source]:
    """The same, none where no cloud is found: then what ships is all that can be told."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return usable_own(current_target())
    except (CommandFailed, BotoCoreError, ClientError):
        return []


def _cloud() -> Target | None:
    """The cloud, where one is found; without any, what ships is all that can be told."""
    try:
        return current_target()
    except CommandFailed as no_cloud:
        print_note(f"only what ships is known here: {no_cloud}")
        return None


def _put(s3: Any, bucket: str, key: str, content: bytes) -> None:
    """A version that nobody else added meanwhile; the bucket refuses to overwrite."""
    from botocore.exceptions import ClientError

    try:
        s3.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType="application/yaml", IfNoneMatch="*"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in (
            "PreconditionFailed",
            "ConditionalRequestConflict",
        ):
            raise
        raise CommandFailed(
            f"{key} was added by somebody else just now; look at it, and try again"
        ) from error


def _own_document(one: ReadSource) -> dict[str, Any]:
    """A source of one's own for programs; a broken one has its `fault` in place of the rest."""
    if one.source:
        return _document(one.source, "own")
    return {
        "source": one.where.name,
        "version": one.where.version,
        "origin": "own",
        "fault": str(one.fault),
    }


def _document(source: Source, origin: str) -> dict[str, Any]:
    """A source for programs."""
    from infra.ecp.sources.detection import needed_columns

    return {
        "source": source.name,
        "version": source.version,
        "title": source.title,
        "origin": origin,
        "rows": source.rows,
        "kinds": list(source.kinds),
        "columns": list(needed_columns(source)),
        "lookups": list(source.lookups),
        "fault": None,
    }
