"""Which files a submission consists of and what each of them is; uploading is in `upload.py`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from contracts.input_names import why_not_an_input
from contracts.layout import KINDS, incoming_key
from infra.ecp.submissions.directories import (
    TOP,
    Gathered,
    InputFile,
    LeftOut,
    in_directory,
    why_not_sendable,
)
from infra.ecp.submissions.exports import export_file
from infra.ecp.submissions.file_headers import kind_by_header
from infra.ecp.terminal.errors import WrongUsage

MAX_FILES = 1000
"""Files in one batch (docs/design.md, Aggregation)."""


def _nobody_knows(_path: Path) -> str | None:
    return None


def gather(
    paths: Sequence[Path], source_of: Callable[[Path], str | None] = _nobody_knows
) -> Gathered:
    """The CSV files of directories and the files that were named, and what is left out of them.

    `source_of` names the source of a file whose header is none of ours (exports.py).

    Raises WrongUsage for a path that is not there, a directory without anything to send or to tell
    of, a named file that is no input or whose kind cannot be told, two files for one key, and more
    files than a batch takes.
    """
    found = Gathered()
    for path in paths:
        if path.is_dir():
            inside = in_directory(path)
            found.files += inside.files
            found.left_out += inside.left_out if len(paths) == 1 else _below(path, inside)
        elif path.is_file() or path.is_symlink() or path.exists():
            found.files.append(single(path, source_of))
        else:
            raise WrongUsage(f"{path}: there is no such file or directory")
    if not found.files and not found.missing_kinds() and not found.unreadable:
        raise WrongUsage(
            f"{', '.join(map(str, paths))}: no CSV files; put them into orders/, order_items/ and "
            "products/ below it (.csv or .csv.gz)"
        )
    return replace(found, files=distinct(found.files))


def single(path: Path, source_of: Callable[[Path], str | None] = _nobody_knows) -> InputFile:
    """One file, its kind told by the name of its folder, else by its header.

    Below a kind's folder it gets the key that its directory would give it (`orders/2025/07.csv`),
    unless its header is that of another kind. Raises WrongUsage when neither says what it is.
    """
    if (fault := why_not_an_input(f"{KINDS[0]}/{path.name}")) is not None:
        is_export = why_not_an_input(incoming_key("any", path.name)) is None
        if is_export and (source := source_of(path)) is not None:
            return export_file(path, source)
        meant = (fault.did_you_mean or "").rpartition("/")[2]
        advice = f"; did you mean {meant}?" if meant else ""
        raise WrongUsage(f"{path}: {fault.reason}{advice}")
    if (unsendable := why_not_sendable(path, f"{KINDS[0]}/{path.name}")) is not None:
        raise WrongUsage(f"{path}: {unsendable}")
    *folders, name = (path.parent.resolve() / path.name).parts
    if folders[-1] in KINDS:
        return InputFile(path, folders[-1], f"{folders[-1]}/{name}")
    try:
        kind = kind_by_header(path)
    except WrongUsage:
        if (source := source_of(path)) is None:
            raise
        return export_file(path, source)
    above = next((folder for folder in reversed(folders) if folder in KINDS), None)
    if above is not None and kind in (None, above):
        below = folders[len(folders) - folders[::-1].index(above) :]
        return InputFile(path, above, "/".join((above, *below, name)))
    if kind is None and (source := source_of(path)) is not None:
        return export_file(path, source)
    if kind is None:
        raise WrongUsage(
            f"{path}: cannot tell whether it holds {', '.join(KINDS[:-1])} or {KINDS[-1]}; "
            "put it into a folder of that name, or correct its header; an export of another shape "
            f"is read by a source: `ecp sources detect {path}`"
        )
    return InputFile(path, kind, f"{kind}/{name}")


def _below(directory: Path, inside: Gathered) -> list[LeftOut]:
    """What is left out of one directory of several, with its name before each path."""
    name = directory.as_posix()
    return [
        replace(one, path=f"{name}/" if one.path == TOP else f"{name}/{one.path}")
        for one in inside.left_out
    ]


def distinct(found: Sequence[InputFile]) -> list[InputFile]:
    """Each file once, however often it was named."""
    by_key: dict[str, InputFile] = {}
    for file in found:
        other = by_key.setdefault(file.key, file).path
        if other.resolve() != file.path.resolve():
            raise WrongUsage(f"{other} and {file.path} would both be uploaded as {file.key}")
    if len(by_key) > MAX_FILES:
        raise WrongUsage(f"{len(by_key)} files; one batch takes {MAX_FILES}: submit them in parts")
    return list(by_key.values())
