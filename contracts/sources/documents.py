"""The YAML of a source as plain values that know their lines.

YAML can do more than a source needs, and what it can do more is refused by name: anchors and
aliases (a few lines can stand for gigabytes), tags, several documents, keys that stand twice, texts
that are read as something else than is written (`no`, `1_000` and `12:30` are texts here).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from contracts.printable import is_shown
from contracts.sources.faults import InvalidSource, SourceFault, quoted

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,8})")
_LINE_BREAKS_AND_TABS = "\n\t"

Value: TypeAlias = "str | int | list[Any] | dict[str, Any] | None"
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """`lines`: the line (from 1) of each key and list item by its path; `()` is the whole."""

    value: dict[str, Any]
    lines: dict[Path, int]

    def line_of(self, path: Path) -> int:
        """The line of a path, or of the nearest one above it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


class _Refused(Exception):
    def __init__(self, line: int, path: Path, message: str) -> None:
        super().__init__(message)
        self.fault = SourceFault(line, key_of(path), message)


def key_of(path: Path) -> str:
    """`orders.order_date`, and `file.missing[2]` for the second of a list."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def read_document(name: str, content: bytes) -> Document:
    """The values of a YAML text in UTF-8; raises InvalidSource, naming line and key."""
    try:
        events = _Events(_text(content))
        document = events.document()
    except _Refused as refused:
        raise InvalidSource(name, [refused.fault]) from refused
    if events.repeated:
        raise InvalidSource(name, events.repeated)
    return document


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise _Refused(
            1, (), f"a source has at most {MAX_BYTES:,} bytes, and this has {len(content):,}"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Refused(line, (), "this is not UTF-8; save the file as UTF-8") from error
    text = text.replace("\r\n", "\n")
    for line, each in enumerate(text.split("\n"), start=1):
        _refuse_hidden(each, line, ())
    return text


def _refuse_hidden(text: str, line: int, path: Path) -> None:
    for character in text:
        if not (character in _LINE_BREAKS_AND_TABS or is_shown(character)):
            name = f"U+{ord(character):04X}"
            raise _Refused(line, path, f"a character that nobody can see ({name}); take it out")


class _Events:
    """Values made of PyYAML's events, so that nothing is built that was not looked at."""

    def __init__(self, text: str) -> None:
        self._events = self._read(text)
        self.lines: dict[Path, int] = {}
        self.repeated: list[SourceFault] = []

    def document(self) -> Document:
        event = next(self._events, yaml.StreamEndEvent())
        if not isinstance(event, yaml.MappingStartEvent):
            self._refuse(event, (), "this is no source: it has to begin with `source: <name>`")
        self.lines[()] = _line(event)
        value = self._mapping(event, ())
        for event in self._events:
            self._refuse(event, (), "a file holds one source; a second document begins here")
        return Document(value, self.lines)

    def _read(self, text: str) -> Iterator[yaml.Event]:
        try:
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if not isinstance(
                    event,
                    yaml.StreamStartEvent
                    | yaml.StreamEndEvent
                    | yaml.DocumentStartEvent
                    | yaml.DocumentEndEvent,
                ):
                    yield event
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            raise _Refused(line, (), f"this is not YAML: {_why(error)}") from error
        except yaml.YAMLError as error:
            raise _Refused(1, (), "this is not YAML: it has characters that it may not") from error

    def _value(self, event: yaml.Event, path: Path) -> Value:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, path, "anchors and aliases are refused; write the value out")
        if tag := _tag(event):
            self._refuse(event, path, f"tags ({tag}) are refused; write the value alone")
        if len(path) > MAX_DEPTH:
            self._refuse(event, path, f"nothing in a source lies {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._scalar(event, path) if isinstance(event, yaml.ScalarEvent) else None

    def _mapping(self, start: yaml.Event, path: Path) -> dict[str, Any]:
        if getattr(start, "anchor", None) or _tag(start):
            self._refuse(start, path, "anchors and tags are refused; write the values alone")
        value: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or _tag(event):
                self._refuse(event, path, "a key is a plain word")
            key, at = event.value, (*path, event.value)
            _refuse_hidden(key, _line(event), path)
            if key in value:
                why = f"{quoted(key)} stands twice; it stood in line {self.lines[at]} already"
                self.repeated.append(SourceFault(_line(event), key_of(at), why))
            self.lines[at] = _line(event)
            value[key] = self._value(next(self._events), at)
        return value

    def _sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            at = (*path, len(values))
            self.lines[at] = _line(event)
            values.append(self._value(event, at))
        return values

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> str | int | None:
        _refuse_hidden(event.value, _line(event), path)
        if event.style is None:
            if _INTEGER.fullmatch(event.value):
                return int(event.value)
            if event.value in ("", "~", "null"):
                return None
        return str(event.value)

    def _refuse(self, event: yaml.Event, path: Path, message: str) -> NoReturn:
        raise _Refused(_line(event), path, message)


def _tag(event: yaml.Event) -> str | None:
    tag: str | None = getattr(event, "tag", None)
    return tag


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _why(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's reason, and what it mostly is in a source: an expression without quotes."""
    advice = "put expressions in quotes, as in order_id: '\"Order ID\"'"
    return f"{error.problem}; {advice}" if error.problem else advice
