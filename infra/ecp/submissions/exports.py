"""Files that a source reads: what `ecp submit --source` sends; lookups are in `lookups.py`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.input_names import why_not_an_input
from contracts.layout import incoming_key
from contracts.sources.model import Source
from infra.ecp.sources.detection import sure_source_of
from infra.ecp.sources.keeping import usable_own
from infra.ecp.sources.measuring import NotReadable
from infra.ecp.submissions.directories import InputFile, why_not_sendable
from infra.ecp.target import Target
from infra.ecp.terminal.errors import WrongUsage


def source_by_header(target: Callable[[], Target]) -> Callable[[Path], str | None]:
    """Names the source that a file certainly is of, by its whole header; None: nobody can tell.

    Sources of one's own are asked too; they are read once, when the first file asks.
    """
    own: list[Source] | None = None

    def sure(path: Path) -> str | None:
        nonlocal own
        if own is None:
            own = usable_own(target())
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


def _files_of(path: Path) -> list[Path]:
    see_that_it_is_there(path)
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.is_file())
    faults = {each: why_not_an_input(incoming_key("any", each.name)) for each in files}
    return [each for each in files if not (faults[each] and faults[each].is_hidden)]  # type: ignore[union-attr]


def see_that_it_is_there(path: Path) -> None:
    """Raises WrongUsage when there is nothing of that name."""
    if not (path.is_symlink() or path.exists()):
        raise WrongUsage(f"{path}: there is no such file or directory")
