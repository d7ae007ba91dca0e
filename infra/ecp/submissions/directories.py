"""What of a directory is sent and what is left out, with the reason; the rules are contracts'."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from contracts.input_names import nearest_folder, why_not_an_input
from contracts.layout import CSV_SUFFIXES, KINDS, kind_of
from infra.ecp.submissions.file_headers import kind_by_header
from infra.ecp.terminal.errors import WrongUsage
from services.runtime.wording import plural

COUNTED_FILES = 1000
"""Files of a folder that is left out are counted up to here."""
LONGEST_KEY_BYTES = 1024
"""Of an S3 key, in UTF-8 (S3 user guide)."""
NOT_OURS = f"it is none of {', '.join(f'{kind}/' for kind in KINDS)}"
TOP = "./"


@dataclass(frozen=True)
class InputFile:
    """One file to upload: where it is, what it holds and the key it gets.

    `source`: the source that it is read by; None for a plain file of its kind.
    """

    path: Path
    kind: str
    key: str
    source: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """What is not sent: its path from the directory that was named (a folder's ends in `/`).

    `is_hidden`: a program's own file, that nobody meant to send. `is_fatal`: it would be sent if
    it could be read, so that the rest alone is not what was meant. `kind`: what it would be.
    """

    path: str
    reason: str
    did_you_mean: str | None = None
    is_hidden: bool = False
    is_fatal: bool = False
    kind: str | None = None


@dataclass
class Gathered:
    """What a submission consists of, and what lies beside it."""

    files: list[InputFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def missing_kinds(self) -> list[str]:
        """Kinds that something was there for, and of which nothing is left to send."""
        sent = {file.kind for file in self.files}
        meant = {one.kind for one in self.left_out}
        return [kind for kind in KINDS if kind in meant - sent]

    @property
    def unreadable(self) -> list[LeftOut]:
        """What would be sent if it could be read."""
        return [one for one in self.left_out if one.is_fatal]


def in_directory(directory: Path) -> Gathered:
    """What lies in a directory, sorted by kind and key.

    A directory that is called like a kind, and holds no folder called so, is that folder: all CSV
    files below it are of the kind. In any other one `orders/**`, `order_items/**` and
    `products/**` count, and a bare `products.csv`. Links are followed, each folder once.
    """
    walk = _Walk()
    name = directory.resolve().name
    entries = _entries(directory)
    if isinstance(entries, str):
        walk.leave(TOP, entries, is_fatal=True)
    elif name in KINDS and not any(one.name in KINDS and one.is_dir() for one in entries):
        walk.folder(directory, "", name)
        walk.close(TOP, name)
    else:
        walk.seen.add(directory.resolve())
        for entry in entries:
            _at_the_top(walk, entry)
    walk.found.files.sort(key=lambda file: (KINDS.index(file.kind), file.key))
    return walk.found


def why_not_sendable(path: Path, key: str) -> str | None:
    """What keeps a file of a right name from being read or stored, in words; None: nothing."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "its name is no valid UTF-8; rename it"
    if size > LONGEST_KEY_BYTES:
        return f"its name has {size:,} bytes, and S3 takes {LONGEST_KEY_BYTES:,}; shorten it"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is no regular file (a pipe, socket or device); write it to a file first"
        path.open("rb").close()
    except FileNotFoundError:
        return f"it is a link to {os.readlink(path)}, which is not there"
    except OSError as error:
        return f"it cannot be read: {(error.strerror or 'unknown fault').lower()}"
    return None


def _at_the_top(walk: "_Walk", entry: os.DirEntry[str]) -> None:
    """A kind's folder is walked, a file called like a kind is taken, all else is left out."""
    path = Path(entry.path)
    if entry.is_dir() and entry.name in KINDS:
        walk.folder(path, f"{entry.name}/", entry.name)
        walk.close(f"{entry.name}/", entry.name)
    elif entry.is_dir():
        walk.leave_folder(path, entry.name)
    else:
        bare = {f"{kind}{suffix}": kind for kind in KINDS for suffix in CSV_SUFFIXES}
        kind = bare.get(entry.name)
        if kind is None and why_not_an_input(f"{KINDS[0]}/{entry.name}") is None:
            walk.stray(path)
        else:
            walk.file(path, entry.name, f"{kind}/{entry.name}" if kind else entry.name)


@dataclass
class _Walk:
    """Goes through folders and sorts what it finds into what is sent and what is left out."""

    found: Gathered = field(default_factory=Gathered)
    seen: set[Path] = field(default_factory=set)

    def folder(self, folder: Path, shown: str, key: str) -> None:
        """Everything below a folder of a kind; `shown` and `key` are its names, here and there."""
        kind = key.partition("/")[0]
        home = folder.resolve()
        if home in self.seen:
            self.leave(shown or TOP, "it is a link to a folder that is read already")
            return
        self.seen.add(home)
        entries = _entries(folder)
        if isinstance(entries, str):
            self.leave(shown or TOP, entries, is_fatal=True, kind=kind)
            return
        if not entries and "/" in key:
            self.leave(shown, "it is empty")
        for entry in entries:
            self._entry(Path(entry.path), entry.is_dir(), shown, f"{key}/{entry.name}")

    def _entry(self, path: Path, is_dir: bool, shown: str, key: str) -> None:
        here = f"{shown}{path.name}"
        fault = why_not_an_input(f"{key}/any.csv") if is_dir else None
        if fault is not None:
            self.leave(f"{here}/", fault.reason, is_hidden=fault.is_hidden)
        elif is_dir:
            self.folder(path, f"{here}/", key)
        else:
            self.file(path, here, key)

    def file(self, path: Path, shown: str, key: str) -> None:
        """One file: sent, or left out by its name, or for what it is."""
        fault = why_not_an_input(key)
        if fault is None:
            unsendable = why_not_sendable(path, key)
            folder = key.partition("/")[0]
            if unsendable is None:
                self.found.files.append(InputFile(path, folder, key))
            else:
                self.leave(shown, unsendable, is_fatal=True, kind=folder)
            return
        meant = fault.did_you_mean
        kind = kind_of(meant) if meant else None
        self.leave(shown, fault.reason, meant, is_hidden=fault.is_hidden, kind=kind)

    def stray(self, path: Path) -> None:
        """A CSV file beside the folders: its header says where it was meant to lie."""
        unsendable = why_not_sendable(path, path.name)
        try:
            kind = None if unsendable else kind_by_header(path)
        except WrongUsage:  # it has no header: its name alone says why it is left out
            kind = None
        if kind is None:
            self.file(path, path.name, path.name)
        else:
            said = f"it lies beside the folders, and its header is that of {kind}"
            self.leave(path.name, said, f"{kind}/{path.name}", kind=kind)

    def leave_folder(self, folder: Path, name: str) -> None:
        """A folder at the top that is none of ours: told as one, with how much is in it."""
        fault = why_not_an_input(f"{name}/any.csv")
        inside = _counted(folder)
        if fault is None or fault.is_hidden:
            self.leave(f"{name}/", fault.reason if fault else NOT_OURS, is_hidden=True)
        elif (kind := nearest_folder(name)) in KINDS:
            self.leave(f"{name}/", f"{NOT_OURS} ({inside})", f"{kind}/", kind=kind)
        else:
            deeper = [kind for kind in KINDS if (folder / kind).is_dir()]
            advice = f"; it holds {deeper[0]}/: name {name}/ itself" if deeper else ""
            meant = deeper[0] if deeper else None
            self.leave(f"{name}/", f"{NOT_OURS} ({inside}){advice}", kind=meant)

    def close(self, shown: str, kind: str) -> None:
        """A kind's folder of which nothing is sent, and nothing was said yet."""
        sent = any(file.kind == kind for file in self.found.files)
        if not sent and not any(one.kind == kind for one in self.found.left_out):
            reason = "nothing in it can be sent; fill it, or remove it if no such file is to go"
            self.leave(shown, reason, kind=kind)

    def leave(
        self,
        path: str,
        reason: str,
        did_you_mean: str | None = None,
        *,
        is_hidden: bool = False,
        is_fatal: bool = False,
        kind: str | None = None,
    ) -> None:
        """Say of something that it is not sent."""
        one = LeftOut(path, reason, did_you_mean, is_hidden, is_fatal, kind)
        self.found.left_out.append(one)


def _entries(folder: Path) -> Sequence[os.DirEntry[str]] | str:
    """What lies in a folder, by name; or why it cannot be looked into."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        return f"it cannot be read: {(error.strerror or 'unknown fault').lower()}"


def _counted(folder: Path) -> str:
    count = sum(1 for _ in islice(_files_below(folder), COUNTED_FILES + 1))
    return f"more than {COUNTED_FILES:,} files" if count > COUNTED_FILES else plural(count, "file")


def _files_below(folder: Path) -> Iterator[str]:
    for _, _, names in os.walk(folder):
        yield from names
