"""What is wrong with a source: where, what, and what to write instead."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from contracts.errors import DataRejected
from contracts.printable import printable

_LIKENESS = 0.6
_MAX_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, order=True)
class SourceFault:
    """One fault; `line` counts from 1, `key` is the way to it (`orders.order_date`; "" for all)."""

    line: int
    key: str
    message: str


class InvalidSource(DataRejected):
    """A document is no usable source; `faults` are all that were found, by line.

    `name` is how people know the document: a path or a key.
    """

    def __init__(self, name: str, faults: Iterable[SourceFault]) -> None:
        self.name = name
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(said(name, fault) for fault in self.faults))


def said(name: str, fault: SourceFault) -> str:
    """The fault in one line of text: `my.yaml line 7, orders.order_date: …`."""
    place = f", {fault.key}" if fault.key else ""
    return printable(f"{name} line {fault.line}{place}: {fault.message}")


def quoted(text: str) -> str:
    """A text of the document in quotes, cut where it is long."""
    cut = text[:_MAX_SHOWN_CHARACTERS]
    return f'"{cut}"' if cut == text else f'"{cut}…"'


def nearest(name: str, names: Collection[str]) -> str | None:
    """The name that was probably meant; None: no guess."""
    folded = {_bare(each): each for each in reversed([*names])}
    close = get_close_matches(_bare(name), folded, n=1, cutoff=_LIKENESS)
    return folded[close[0]] if close else None


def did_you_mean(name: str, names: Collection[str]) -> str:
    """`; did you mean "order_id"?` where there is a guess, else what there is."""
    if (guess := nearest(name, names)) is not None:
        return f"; did you mean {quoted(guess)}?"
    return f"; there is {', '.join(map(quoted, names))}" if 0 < len(names) <= 12 else ""


def _bare(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
