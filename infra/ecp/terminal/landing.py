"""Files under a directory, by names from outside: none is ever written anywhere else.

A key may say `../`, begin at the root, or be what some system gives a meaning of its own: device
names, drive letters, backslashes, control characters. `landing_places` makes names of files out of
keys (a plain key is its own name); `create` makes a file and follows no symbolic link on the way.
"""

import errno
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from contracts.printable import is_shown
from infra.ecp.terminal.errors import WrongUsage

LONGEST_NAME_BYTES = 200
"""File systems take 255 bytes; a mark that tells two names apart must fit, too."""
LONGEST_PATH_BYTES = 1024
"""As long as an S3 key may be."""
NEVER_IN_NAMES = frozenset('\\:*?"<>|%')
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(\.|$)", re.I)


def landing_places(keys: Sequence[str]) -> Mapping[str, PurePosixPath]:
    """A relative path for each key: no two meet, not even where case is not told apart."""
    places: dict[str, PurePosixPath] = {}
    taken: set[str] = set()
    folders = {
        _folded(parent) for key in keys for parent in _plain_place(key).parents if parent.name
    }
    for key in sorted(set(keys)):
        place = _plain_place(key)
        while _folded(place) in taken | folders:
            place = place.with_name(_marked(place.name, f"{place}\0{key}"))
        taken.add(_folded(place))
        places[key] = place
    return places


@contextmanager
def create(directory: Path, place: PurePosixPath) -> Iterator[BinaryIO]:
    """A new file below the directory, gone again when writing it fails.

    Raises WrongUsage when it is there already, or a symbolic link lies on the way.
    """
    path = directory / place
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        opened.callback(os.close, folder)
        for part in place.parts[:-1]:
            folder = _into(folder, part, path)
            opened.callback(os.close, folder)
        try:
            how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            file = os.fdopen(os.open(place.name, how, 0o666, dir_fd=folder), "wb")
        except FileExistsError as error:
            raise WrongUsage(_is_there(path)) from error
        try:
            with file:
                yield file
        except BaseException:
            os.unlink(place.name, dir_fd=folder)
            raise


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of whatever is at the path once it is whole, and not before.

    It is written beside it; whoever is killed meanwhile leaves `.ecp-….part` there, and never half
    a file under the path. A link is followed; a device or a pipe is written to as it is. Raises
    WrongUsage for a folder, or where there is none to write into.
    """
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise WrongUsage(f"{path} is a folder; name a file in it")
    if place.exists() and not place.is_file():
        with place.open("wb") as file:
            yield file
        return
    if not place.parent.is_dir():
        raise WrongUsage(f"{path}: there is no folder {place.parent}; make it first")
    descriptor, part = tempfile.mkstemp(prefix=".ecp-", suffix=".part", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(descriptor, _mode_of(place))
            os.fsync(descriptor)
        os.replace(part, place)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _mode_of(place: Path) -> int:
    """Of the file that is there, else of a new one."""
    try:
        return place.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def refuse_what_is_there(paths: Sequence[Path]) -> None:
    """Raises WrongUsage rather than write over corrections that somebody has made."""
    for path in paths:
        if os.path.lexists(path):
            raise WrongUsage(_is_there(path))


def _into(folder: int, part: str, path: Path) -> int:
    """The folder inside the folder, made if it is missing."""
    try:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=folder)
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise
        raise WrongUsage(
            f"{path}: {part} on the way is a link or no folder, and nothing is written past it; "
            "remove it or write elsewhere"
        ) from error


def _is_there(path: Path) -> str:
    return f"{path} is there already; remove it or write elsewhere"


def _plain_place(key: str) -> PurePosixPath:
    parts = [_plain_name(part) for part in key.split("/")]
    place = PurePosixPath(*parts)
    if len(str(place).encode()) > LONGEST_PATH_BYTES:
        return PurePosixPath(_marked(parts[-1], key))
    return place


def _plain_name(part: str) -> str:
    """One name, from which the part can be told; `%` and two digits stand for a byte."""
    name = "".join(
        character if is_shown(character) and character not in NEVER_IN_NAMES else _bytes(character)
        for character in part
    )
    if not name.strip(". "):
        name = "".join(map(_bytes, name)) or "%"
    elif name[-1] in ". ":  # which Windows drops
        name = name[:-1] + _bytes(name[-1])
    if DEVICES.match(name):
        name = _bytes(name[0]) + name[1:]
    return name if len(name.encode()) <= LONGEST_NAME_BYTES else _marked(name, part)


def _bytes(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _marked(name: str, told_by: str) -> str:
    """The name with a mark before its suffix, which differs with what it was made of."""
    mark = "~" + sha256(told_by.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    stem, dot, suffix = name.partition(".")
    if len(suffix.encode()) > 20:
        stem, dot, suffix = name, "", ""
    room = LONGEST_NAME_BYTES - len(f"{mark}{dot}{suffix}".encode())
    return stem.encode()[:room].decode(errors="ignore") + mark + dot + suffix


def _folded(place: PurePosixPath) -> str:
    return unicodedata.normalize("NFKC", str(place)).casefold()
