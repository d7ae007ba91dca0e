"""`ecp demo` and `ecp sample`: the whole pipeline on an invented shop, shown step by step."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.clock import system_clock
from infra.ecp.batches.outcome_view import EXIT_CODES, print_outcome
from infra.ecp.demo.notifications import notifications
from infra.ecp.demo.sample_catalogue import DEFAULT_SEED
from infra.ecp.kpis import commands as kpis
from infra.ecp.kpis.queries import (
    CATEGORY_FIELDS,
    ORDER_FIELDS,
    Kpi,
    Period,
    PublishedKpis,
    category_kpis,
    order_kpis,
)
from infra.ecp.quarantine.view import print_rows
from infra.ecp.settings import pipeline_settings
from infra.ecp.submissions.intake import gather
from infra.ecp.submissions.sending import upload
from infra.ecp.submissions.submit import wait_for_outcome
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from infra.ecp.terminal.output import (
    print_heading,
    print_line,
    print_lines,
    print_verbatim,
    progress,
    styled,
)
from services.validator.quarantine.stored import listing, read_rows

if TYPE_CHECKING:
    from infra.ecp.demo.sample_shop import SampleShop

KEPT = "ecp-demo"
"""Folder of a demo that is kept."""
SHOWN_DAYS = 7
SHOWN_CATEGORIES = 6
SHOWN_ROWS = 12
Scale = Annotated[int, typer.Option("--scale", min=1, help="100 makes it a hundred times larger.")]


def demo(
    scale: Scale = 1,
    keep: Annotated[
        bool,
        typer.Option("--keep", help=f"Leave the cloud running, in ./{KEPT}, and say how to look."),
    ] = False,
) -> None:
    """See everything at once: a local cloud, a month of an invented shop, KPIs, quarantine.

    It needs nothing but this command, takes some seconds, and stops what it started. With --keep
    the cloud goes on, and the last line is the address of the web console.

    Example: `ecp demo --scale 100`
    """
    began = time.monotonic()
    with _stopped_by_sigterm(), _kept_directory() if keep else _own_directory() as directory:
        from infra.local import cloud

        is_kept = False
        print_heading("A cloud of its own")
        try:
            with progress("starting the local cloud") as say:
                running = cloud.up(directory, 0, pipeline_settings(os.environ), say)
            print_line(f"ready at {running.endpoint} after {time.monotonic() - began:.1f} s")
            target = Target(running.environment(), f"the local cloud at {running.endpoint}")
            _show(target, directory, scale)
            is_kept = keep
        finally:
            if not is_kept:
                with progress("stopping the local cloud"):
                    cloud.down(directory, keep=False)
    took = time.monotonic() - began
    if not is_kept:
        print_line(styled("[dim]all of it took {:.1f} s; nothing is left running[/]", took))
        return
    from infra.ecp.api.address import api_url
    from infra.ecp.console.commands import console_url

    print_line(styled("[dim]all of it took {:.1f} s; `ecp down` in ./{} stops it[/]", took, KEPT))
    print_line(styled("the console is at [bold]{}[/]", console_url(api_url(target))))


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
    scale: Scale = 1,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another shop.")] = DEFAULT_SEED,
) -> None:
    """Write the invented shop of the demo as CSV files, to try things with.

    Example: `ecp sample shop/ && ecp submit shop/ --wait`
    """
    from infra.ecp.demo.sample_shop import write_sample_shop

    print_line(_described(write_sample_shop(directory, scale=scale, seed=seed)))


def _show(target: Target, directory: Path, scale: int) -> None:
    from infra.ecp.demo.sample_shop import write_sample_shop

    print_heading("A month of a shop")
    shop = write_sample_shop(directory / "shop", scale=scale)
    print_line(_described(shop))
    print_heading("Through the pipeline")
    topic = target.names.notification_topic_arn
    with notifications(target.client("sns"), target.client("sqs"), topic) as next_notification:
        submission = upload(target, gather([shop.directory]).files, as_json=False)
        outcome = wait_for_outcome(target, submission, as_json=False)
        print_outcome(outcome)
        told = next_notification()
    published = PublishedKpis(target.client("dynamodb"), system_clock().date())
    print_heading("What came of it")
    kpis.print_kpis(
        "OrderKPIs",
        order_kpis(published, Period()),
        ORDER_FIELDS,
        limit=SHOWN_DAYS,
        more="`ecp kpis orders` has every day",
    )
    kpis.print_kpis(
        "CategoryKPIs",
        by_day(category_kpis(published, Period())),
        CATEGORY_FIELDS,
        limit=SHOWN_CATEGORIES,
        more="`ecp kpis categories` has every day",
    )
    print_heading("What was refused")
    s3, bucket = target.client("s3"), target.names.data_bucket
    keys = listing(s3, bucket, outcome["batch_id"]).row_keys
    print_rows(list(read_rows(s3, bucket, keys)), limit=SHOWN_ROWS)
    print_heading("What people are told")
    if told is None:
        raise CommandFailed("no notification came within 5 s, though the batch is closed")
    print_line(styled("[bold]{}[/]", told.subject))
    print_lines(told.message)
    print_heading("What to try next")
    for step in next_steps().splitlines():
        print_verbatim(step)
    if EXIT_CODES[outcome["status"]]:
        raise CommandFailed(f"the sample shop ended {outcome['status']}: {outcome['reason']}")


NEXT = """\
ecp up                            a local cloud that stays
ecp sample shop/                  this shop as files: look at them, break them
ecp validate shop/*/*.csv         the same checks, without uploading
ecp submit shop/ --wait           the same run, on your files
ecp quarantine show orders/2025-07-part1.csv
ecp kpis categories --category Electronics
ecp console                       KPIs, batches and quarantine in a browser
ecp status                        what runs and what waits
ecp down                          stops it"""


def next_steps() -> str:
    """Commands to try, after one that puts `ecp` on the PATH where it is not."""
    if shutil.which("ecp"):
        return NEXT
    return f"source {Path(sys.prefix) / 'bin' / 'activate'}\n{NEXT}"


def by_day(found: list[Kpi]) -> list[Kpi]:
    """KPIs of categories with all those of a day together."""
    return sorted(found, key=lambda kpi: (kpi["order_date"], kpi["category"]))


def _described(shop: "SampleShop") -> str:
    return (
        f"{shop.orders:,} orders, {shop.order_items:,} order lines, {shop.products:,} products "
        f"and {shop.bad_rows:,} bad rows in {len(shop.files)} files under {shop.directory}"
    )


@contextmanager
def _kept_directory() -> Iterator[Path]:
    """Where `ecp` finds the cloud afterwards; what is there already is left alone."""
    directory = Path(KEPT).resolve()
    if directory.exists():
        raise CommandFailed(
            f"./{KEPT} is there already: go there, `ecp up` and `ecp console` show it again; "
            "or `ecp down` there and remove it"
        )
    directory.mkdir(parents=True)
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


@contextmanager
def _own_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="ecp-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: cleanly."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
