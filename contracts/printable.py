"""Text from outside as text that people may safely be shown; what it means is judged elsewhere.

A key, a cell, a reason or a user name may hold anything. Characters that a terminal or a mail
reader would act upon, or that nobody could see, are shown by their escapes: controls (C0, DEL,
C1), line and paragraph separators, marks that turn the direction of writing, invisible letters and
tags, lone surrogates (of file names that are not UTF-8), private and unassigned characters.
Zero-width joiners and non-joiners belong to many names, and variation selectors to signs: they
stay. What is shown cannot be turned back: `--json` has the exact text.
"""

import unicodedata

SHOWN_INVISIBLES = frozenset(
    "\u200c\u200d"  # zero-width non-joiner and joiner
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"  # signs before a number:
    "\U000110bd\U000110cd"  # "format" by their category, yet they can be seen
)
IGNORED_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
"""Letters, marks and a sign by their category that show nothing (Default_Ignorable_Code_Point)."""
VARIATIONS = range(0xE0100, 0xE01F0)
"""Supplementary variation selectors: text can be hidden in a row of them."""
NEVER_SHOWN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    """The text in one line that does nothing but show it; what is plain stays as it is."""
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_FOR_PEOPLE)


def printable_lines(text: str) -> str:
    """As `printable`, but with the text's own lines."""
    return "\n".join(printable(line) for line in text.split("\n"))


def printable_json(document: str) -> str:
    """A JSON text whose strings hold such characters only as JSON escapes: equal when parsed."""
    return document if document.isascii() and "\x7f" not in document else document.translate(_JSON)


def is_shown(character: str) -> bool:
    """Whether a character is shown as it is."""
    if character in SHOWN_INVISIBLES:
        return True
    if character in IGNORED_LETTERS or ord(character) in VARIATIONS:
        return False
    return unicodedata.category(character) not in NEVER_SHOWN


class _ForPeople(dict[int, str | int]):
    """A table for `str.translate` that is filled as characters are met."""

    def __missing__(self, code: int) -> str | int:
        character = chr(code)
        self[code] = code if is_shown(character) else self.escape(character)
        return self[code]

    def escape(self, character: str) -> str:
        """As Python writes it: `\\x1b`, `\\u202e`, `\\U000e0041`."""
        code = ord(character)
        if character in SHORT:
            return SHORT[character]
        if code < 0x100:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _InJson(_ForPeople):
    """JSON has only `\\uXXXX`, two beyond the basic plane; newlines stand between values."""

    def escape(self, character: str) -> str:
        if character == "\n":
            return character
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_FOR_PEOPLE = _ForPeople()
_JSON = _InJson()
