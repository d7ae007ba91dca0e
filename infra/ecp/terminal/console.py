"""The console that everything goes through: it shows text, and never does what text says."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from contracts.printable import printable_lines

UNBOUNDED = 100_000
"""Columns where neither a terminal nor COLUMNS says how wide it is: nothing is wrapped there."""

HANGING = 2
"""Columns by which the rest of an indented line is deeper."""


class Terminal(Console):
    """Colours and movement only on a terminal; no markup, no emoji codes, no control characters.

    Text is made printable before it is measured, and once more as it leaves: what a renderable of
    Rich's own holds cannot pass by either.
    """

    def __init__(self, stream: TextIO) -> None:
        is_terminal = stream.isatty()
        knows_width = is_terminal or os.environ.get("COLUMNS", "").isdigit()
        super().__init__(
            file=stream,
            force_terminal=is_terminal,
            no_color=None if is_terminal else True,
            width=None if knows_width else UNBOUNDED,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def say(self, text: str | Text) -> None:
        """One line or more; it is wrapped at spaces only, and no word is cut.

        What goes on from an indented line stands under it, two deeper.
        """
        whole = self.render_str(text) if isinstance(text, str) else text
        for line in whole.split("\n", allow_blank=True):
            for piece in _pieces(line, self.width) if line.cell_len > self.width else (line,):
                self.print(piece, overflow="ignore", crop=False)

    def render_str(self, text: str, **how: Any) -> Text:
        """Text as it is measured and laid out."""
        return super().render_str(printable_lines(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is written, piece by piece; cursor movements of Rich's own are no text."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)


def _pieces(line: Text, width: int) -> Iterator[Text]:
    """A line cut at spaces, each piece as wide as fits; a word that is wider stands alone."""
    depth = len(line.plain) - len(line.plain.lstrip(" "))
    begin = end = depth
    indent = depth
    for word in re.finditer(r"\S+", line.plain):
        if end > begin and indent + line[begin : word.end()].cell_len > width:
            yield Text(" " * indent) + line[begin:end]
            begin, indent = word.start(), depth + HANGING if depth else 0
        end = word.end()
    yield Text(" " * indent) + line[begin:end]
