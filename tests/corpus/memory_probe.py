"""Run by itself: checks one endless kind of content and prints how far the memory grew, in MB.

Usage: python -m tests.corpus.memory_probe KIND MEGABYTES
"""

import json
import resource
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file

HEADER = b"order_id,user_id,order_date,total_amount,status\n"
ROW = b"1000001,user-77,2025-07-07,10.00,completed\n"
MEBIBYTE = 1 << 20
FILLINGS = {
    "one line": (HEADER + b"1,", b"x"),
    "one quoted field": (HEADER + b'1,"', b"x\n"),
    "one line of two-byte characters": (HEADER + b"1,", "ä".encode()),
    "one line without a header": (b"", b"x"),
    "healthy rows": (HEADER, ROW),
    "short bad rows": (HEADER, b"a\n"),
    "bad quotes": (HEADER, b'"\n'),
    "blank lines": (HEADER, b"\n"),
    "carriage returns": (HEADER.replace(b"\n", b"\r"), b"\r"),
    "split lines": (HEADER, b"1,u,2025-07-07,1.00,paid\r2,u,2025-07-07,1.00,paid\n"),
    "zeros": (b"", b"\0"),
    "zeros after the header": (HEADER, b"\0"),
}


class Endless:
    """A stream of so many bytes that never holds them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        while len(self._held) < size and (piece := next(self._pieces, b"")):
            self._held += piece
        found, self._held = self._held[:size], self._held[size:]
        return found


def plain(start: bytes, filling: bytes, megabytes: int) -> Iterator[bytes]:
    """The start, then the filling over and over."""
    piece = filling * (MEBIBYTE // len(filling))
    if start:
        yield start
    for _ in range(megabytes):
        yield piece


def packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same as gzip."""
    packer = zlib.compressobj(9, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def main(kind: str, megabytes: int) -> None:
    """Check it, and print the outcome."""
    name = kind.removeprefix("gzip of ")
    whole = [b"".join(packed(plain(*FILLINGS[name], megabytes)))] if name != kind else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    check = check_file(
        lambda: nullcontext(Endless(iter(whole or plain(*FILLINGS[name], megabytes)))),
        file_contract("orders"),
        name="orders/a.csv" + (".gz" if name != kind else ""),
        today=date(2026, 11, 23),
        max_rejected_fraction=0.2,
        on_accepted=lambda _: None,
        on_quarantined=lambda _: None,
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = round(time.perf_counter() - started, 1)
    print(
        json.dumps(
            {"rule": check.rule, "rows": check.rows_in, "grown_mb": grown // 1024, "s": seconds}
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
