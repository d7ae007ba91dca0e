"""What a cell says: the text that is compared, joined and stored, whoever wrote it down.

Two texts that look the same are the same: characters are composed (Unicode NFC), and each of
Unicode's spaces counts as a space. Zero-width joiners are letters' business and stay.
"""

import codecs
import re
from unicodedata import normalize

BLANKS = " \t"
"""What is trimmed around a cell, once every other space is one of these."""

SPACES = "".join(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
"""Unicode's other spaces (category Zs)."""

FORMULA_START = '="'
_FORMULA = re.compile(r'="((?:[^"]|"")*+)"')
_TO_SPACE = str.maketrans(dict.fromkeys(SPACES, " "))


def without_marks(content: bytes) -> bytes:
    """Bytes without the byte order marks that they begin with; some tools add a second one."""
    while content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
    return content


def composed(text: str) -> str:
    """The text in NFC, every space a space."""
    return text if text.isascii() else normalize("NFC", text).translate(_TO_SPACE)


def is_plain(cell: str) -> bool:
    """Whether a cell that is trimmed of BLANKS is its own text for sure."""
    return cell.isascii() and not cell.startswith("=")


def plain_text(cell: str) -> str:
    """The text of a cell; `="0001"`, a spreadsheet's way to keep a text a text, is `0001`."""
    text = composed(cell).strip(BLANKS)
    if text.startswith(FORMULA_START) and (formula := _FORMULA.fullmatch(text)):
        return formula[1].replace('""', '"').strip(BLANKS)
    return text
