"""Formats of dates: ODCS writes them as Java does (yyyy-MM-dd), sources as strptime (%Y-%m-%d)."""

import re

_PARTS = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m",
    "dd": "%d", "d": "%d", "EEEE": "%A", "EEE": "%a", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I",
    "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "SSSSSS": "%f", "SSS": "%g", "a": "%p",
    "XXX": "%z", "XX": "%z", "X": "%z", "Z": "%z", "ZZZZZ": "%z",
}  # fmt: skip
_JAVA = {code: word for word, code in reversed(_PARTS.items())}
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([a-zA-Z])\2*|([^a-zA-Z'])")


def strptime_format(java: str) -> str | None:
    """A format of Java's as strptime reads it; None when a part of it means nothing there."""
    written, at = "", 0
    while at < len(java):
        token = _TOKEN.match(java, at)
        if token is None:
            return None
        at, text = token.end(), token.group()
        if token[1] is not None:
            written += (token[1].replace("''", "'") or "'").replace("%", "%%")
        elif token[2] is None:
            written += text.replace("%", "%%")
        elif text in _PARTS:
            written += _PARTS[text]
        else:
            return None
    return written


def java_format(form: str) -> str:
    """A format of strptime's as Java writes it."""
    written = re.sub(r"[A-Za-z]+", lambda word: f"'{word[0]}'", re.sub(r"%.", "\0", form))
    codes = iter(re.findall(r"%.", form))
    return re.sub("\0", lambda _: _JAVA[next(codes)], written)
