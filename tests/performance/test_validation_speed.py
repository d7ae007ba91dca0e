"""Validating and staging orders and their lines, beside pyarrow, Pandera and the seed's way."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.performance.figures import (
    LINES_PER_ORDER,
    ORDERS,
    Figure,
    figure,
    interleaved,
    keep,
    within,
)
from tests.performance.peers import (
    check_the_header_with_pandas,
    check_with_pandera,
    read_and_write_with_pyarrow,
    schema_of,
    stage_with_pandera,
)
from tests.performance.shop_files import ShopFiles, write_shop
from tests.performance.staging import stage

pytestmark = [pytest.mark.performance, pytest.mark.timeout(3600)]
MEMORY_LIMIT_MB = 600
BAD_FRACTION = 0.01
LARGE_FILE_BYTES = 2_000_000_000


def test_validation_beside_its_floor_and_peers(tmp_path: Path) -> None:
    clean = write_shop(tmp_path / "clean", ORDERS)
    dirty = write_shop(tmp_path / "dirty", ORDERS, bad_fraction=BAD_FRACTION)
    schemas = {kind: schema_of(kind) for kind in ("orders", "order_items")}
    assert_that_all_see_the_same(clean, dirty, tmp_path)
    staged = tmp_path / "staged.parquet"
    ways: dict[str, Callable[[], object]] = {
        "ours": on_both(clean, lambda file: stage(file, staged)),
        "dirty": on_both(dirty, lambda file: stage(file, staged)),
        "pyarrow": on_both(clean, lambda file: read_and_write_with_pyarrow(file, staged)),
        "ours, plain": on_both(clean, lambda file: stage(file, staged, pseudonyms=False)),
        "pyarrow, plain": on_both(
            clean, lambda file: read_and_write_with_pyarrow(file, staged, pseudonyms=False)
        ),
        "pandera": on_both(clean, lambda file: check_with_pandera(file, schemas[file.stem])),
        "pandera, staged": on_both(
            clean, lambda file: stage_with_pandera(file, schemas[file.stem], staged)
        ),
        "seed": on_both(clean, check_the_header_with_pandas),
    }
    seconds = interleaved(ways)
    ours = seconds["ours"]
    figures = [
        figure("validate + stage", ours, "Pandera: read, check", seconds["pandera"], at_most=0.25),
        figure(
            "validate + stage",
            ours,
            "Pandera: read, check, write",
            seconds["pandera, staged"],
            at_most=0.25,
        ),
        figure(
            "validate + stage",
            ours,
            "pyarrow: read, same pseudonyms, write",
            seconds["pyarrow"],
            at_most=1.5,
        ),
        figure(
            "validate + stage, without pseudonyms",
            seconds["ours, plain"],
            "pyarrow: read, write",
            seconds["pyarrow, plain"],
            at_most=1.5,
        ),
        figure("validate + stage", ours, "the seed's way: header only, pandas", seconds["seed"]),
        figure("1 % bad rows", seconds["dirty"], "no bad row", ours, at_most=1.5),
        *memory(clean, tmp_path),
    ]
    keep("validation", figures, orders=ORDERS, order_items=LINES_PER_ORDER * ORDERS)


def on_both(files: ShopFiles, way: Callable[[Path], object]) -> Callable[[], object]:
    """The way on the orders, then on their lines."""
    return lambda: [way(files.orders), way(files.order_items)]


def assert_that_all_see_the_same(clean: ShopFiles, dirty: ShopFiles, folder: Path) -> None:
    """A peer that did less, or other, work would be no peer."""
    ours, theirs = folder / "ours.parquet", folder / "theirs.parquet"
    for file, spoilt in ((clean.orders, dirty.orders), (clean.order_items, dirty.order_items)):
        stage(file, ours)
        read_and_write_with_pyarrow(file, theirs)
        assert pq.read_table(ours).equals(pq.read_table(theirs))
        schema = schema_of(file.stem)
        assert check_with_pandera(file, schema) == 0
        found = stage(spoilt, ours)
        assert found.quarantined == round(BAD_FRACTION * found.rows_in)
        assert check_with_pandera(spoilt, schema) >= found.quarantined


def memory(clean: ShopFiles, folder: Path) -> list[Figure]:
    """Peak memory of a process that stages both files, files four times as large, and one of 2 GB.

    The large file repeats the orders: staging, unlike the transform, takes each row for itself.
    """
    large = write_shop(folder / "large", 4 * ORDERS)
    huge = folder / "huge" / "orders.csv"
    repeat_rows(clean.orders, huge, LARGE_FILE_BYTES)
    staged_files = {
        f"peak memory, {clean.size:,} orders": (clean.orders, clean.order_items),
        f"peak memory, {large.size:,} orders": (large.orders, large.order_items),
        f"peak memory, orders of {LARGE_FILE_BYTES / 1e9:g} GB": (huge,),
    }
    return [
        within(what, peak_mb(files, folder), MEMORY_LIMIT_MB, "MB")
        for what, files in staged_files.items()
    ]


def repeat_rows(source: Path, target: Path, size_bytes: int) -> None:
    """The source's rows again and again below its header, until the file has that size."""
    header, rows = source.read_bytes().split(b"\n", maxsplit=1)
    target.parent.mkdir()
    with target.open("wb") as sink:
        sink.write(header + b"\n")
        while sink.tell() < size_bytes:
            sink.write(rows)


def peak_mb(files: Sequence[Path], folder: Path) -> float:
    """By a shell between us: Linux also counts what a process was before its exec: pytest."""
    staging = (sys.executable, "-m", "tests.performance.staging", str(folder), *map(str, files))
    answer = subprocess.run(
        [*_IN_A_CHILD_OF_A_SHELL, *staging],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return float(answer.stdout)


_IN_A_CHILD_OF_A_SHELL = ("sh", "-c", '"$@"; exit $?', "sh")
