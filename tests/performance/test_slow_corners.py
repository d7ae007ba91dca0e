"""Each pathological file of 10 MB against a plain one: the checks alone, and `ecp validate`."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file
from tests.performance.figures import Figure, figure, interleaved, keep

pytestmark = pytest.mark.performance

SIZE_BYTES = 10_000_000
AT_MOST = 4.0
"""Times a plain file of the same size (docs/performance.md)."""

HEADERS = {
    "orders": "order_id,user_id,order_date,total_amount,status",
    "products": "product_id,category,name,price",
}
CURRENCY = ",currency"
Row = Callable[[int], str]
PLAIN: Row = lambda n: f"{n},u{n % 999},2025-07-01,10.00,completed\n"  # noqa: E731
CORNERS: dict[str, tuple[str, Row]] = {
    "quoted CRLF in each row": (
        "products",
        lambda n: f'{n},Toys,"line one\r\nline two\r\n\r\nline four",10.00\n',
    ),
    "carriage returns in each name": ("products", lambda n: f"{n},Toys,a\rb\rc,10.00\n"),
    "an unclosed quote in each row": ("orders", lambda n: f'{n},"u,2025-07-01,10.00,completed\n'),
    "backslashes before quotes": ("products", lambda n: f'{n},Toys,"24\\" screen",10.00\n'),
    "doubled quotes everywhere": ("products", lambda n: f'{n},"To""ys","24"" big, {n}",10.00\n'),
    "text formulas": ("orders", lambda n: f'="{n:08}",u{n % 999},2025-07-01,10.00,completed\n'),
    "a NUL byte in each row": ("orders", lambda n: f"{n},u\0,2025-07-01,10.00,completed\n"),
    "blank lines": ("orders", lambda n: "\n" if n else PLAIN(n)),
    "one surplus cell in each row": ("orders", lambda n: PLAIN(n)[:-1] + ",\n"),
    "no-break spaces after each value": (
        "orders",
        lambda n: PLAIN(n).replace(",", "\u00a0,").replace("\n", "\u00a0\n"),
    ),
    "combining marks in each row": ("products", lambda n: f"{n},Cafe\u0301,Cre\u0300me {n},1.00\n"),
    "a filled surplus cell in each row": ("orders", lambda n: PLAIN(n)[:-1] + ",x\n"),
    "blanks beside quotes": ("orders", lambda n: f'{n}, "u{n}" ,2025-07-01,10.00,completed\n'),
    "every id shortened": ("orders", lambda n: PLAIN(n).replace(f"{n},u", "7.41099E+12,u", 1)),
    "two currencies in turn": ("priced", lambda n: PLAIN(n)[:-1] + f",{('EUR', 'USD')[n % 2]}\n"),
    "a timestamp in each row": ("orders", lambda n: PLAIN(n).replace("-01,", "-01 10:00:00,")),
    "each row a contradiction": ("orders", lambda n: f"1,u{n % 999},2025-07-01,{n % 5000}.00,x\n"),
    "each row twice": ("orders", lambda n: PLAIN(n // 2)),
    "-0.00 in each row": ("orders", lambda n: PLAIN(n).replace(",10.00,", ",-0.00,")),
    "a broken quote in every thousandth row": (
        "orders",
        lambda n: PLAIN(n).replace(",u", ',"u') if n % 1000 == 500 else PLAIN(n),
    ),
    "a timestamp in every sixth row": (
        "orders",
        lambda n: PLAIN(n) if n % 6 else PLAIN(n).replace("-01,", "-01 10:00:00,"),
    ),
    "an unclosed quote in every sixth row": (
        "orders",
        lambda n: PLAIN(n) if n % 6 else PLAIN(n).replace(",u", ',"u'),
    ),
}


def write(folder: Path, name: str, kind: str, row: Row) -> Path:
    """A file of SIZE_BYTES below its header."""
    header = HEADERS.get(kind, HEADERS["orders"] + CURRENCY)
    path = folder / name.replace(" ", "-") / (kind if kind in HEADERS else "orders") / "a.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(header + "\n")
        size, number = 0, 0
        while size < SIZE_BYTES:
            size += file.write(row(number))
            number += 1
    return path


def validate(path: Path) -> None:
    """`ecp validate`, whatever it says of the file."""
    command = (sys.executable, "-m", "infra.ecp.main", "validate", str(path))
    done = subprocess.run(command, capture_output=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode in (0, 1), done.stderr


def check_alone(path: Path) -> None:
    """What the worker does between download and upload, with rows written nowhere."""
    check_file(
        lambda: path.open("rb"),
        file_contract(path.parent.name),
        name=f"{path.parent.name}/a.csv",
        today=datetime.now(UTC).date(),
        max_rejected_fraction=0.2,
        on_accepted=lambda _: None,
        on_quarantined=lambda _: None,
    )


def test_no_slow_corner(tmp_path: Path) -> None:
    paths = {name: write(tmp_path, name, *corner) for name, corner in CORNERS.items()}
    plain = write(tmp_path, "plain", "orders", PLAIN)
    figures: list[Figure] = []
    for what, way, repetitions in (
        ("the checks", check_alone, 3),
        ("ecp validate", validate, 1),
    ):
        ways = {name: partial(way, path) for name, path in paths.items()}
        seconds = interleaved({"plain": partial(way, plain), **ways}, repetitions)
        figures += [
            figure(
                f"{what}: {name}", seconds[name], "a plain file", seconds["plain"], at_most=AT_MOST
            )
            for name in CORNERS
        ]
    keep("slow_corners", figures, megabytes=SIZE_BYTES // 1_000_000)
