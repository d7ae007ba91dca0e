"""What people are told: how a batch ended or what a set waits for, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.messages import (
    BatchFailed,
    BatchOverdue,
    BatchRejected,
    BatchResult,
    FileIgnored,
    OrderTotals,
    RejectedFile,
)
from contracts.printable import printable
from services.aggregator.batch.domain import Batch

NAMED_FILES = 20
MAX_SUBJECT_CHARACTERS = 100
"""Limit of an SNS subject (AWS API reference)."""
MAX_MESSAGE_CHARACTERS = 20_000


@dataclass(frozen=True)
class SnsNotification:
    """One notification."""

    subject: str
    message: str


def completed(batch: Batch, result: BatchResult, remark: str | None = None) -> SnsNotification:
    """The batch is published: how many rows went where."""
    rows_in, accepted, quarantined, duplicates = (
        sum(getattr(file, name) for file in result.files)
        for name in ("rows_in", "accepted", "quarantined", "duplicates")
    )
    published = result.published
    lines = [
        f"Batch {batch.batch_id} is published: {plural(len(result.files), 'file')}, "
        f"{plural(rows_in, 'row')} = {accepted} accepted + {quarantined} quarantined "
        f"+ {plural(duplicates, 'duplicate')}.",
        f"KPIs of {plural(len(result.affected_days), 'day')} were set by {result.engine}: "
        f"{published.order_kpis} in OrderKPIs, {published.category_kpis} in CategoryKPIs, "
        f"{published.deleted} deleted.",
        *_listed(
            f"{file.key}: {file.status}, {plural(file.rows_in, 'row')}, "
            f"{file.quarantined} quarantined, {plural(file.duplicates, 'duplicate')}"
            for file in result.files
        ),
    ]
    if remark:
        lines.append(f"Note: {remark}. `ecp batch {batch.batch_id}` shows what is refused now.")
    if result.waiting_order_items:
        lines.append(_waiting(result.waiting_order_items))
    if result.order_totals and result.order_totals.differing:
        lines.append(_order_totals(result.order_totals))
    if quarantined:
        lines.append(
            f"`ecp quarantine show {batch.batch_id}` says why rows are in quarantine. What to do: "
            f"write them to CSV with `ecp quarantine export {batch.batch_id} --to corrections`, "
            "correct them there, and bring them in with `ecp quarantine replay corrections/*.csv`."
        )
    return _notification(f"Batch {batch.batch_id} completed: {plural(accepted, 'row')}", lines)


def rejected(batch: Batch, end: BatchRejected) -> SnsNotification:
    """The data was at fault: which files, why, and what to send."""
    at_fault = [file for file in end.rejected_files if not file.gone]
    lines = [
        f"Batch {batch.batch_id} was rejected ({end.reason}). Nothing of it is published.",
        *_listed(f"{file.key}: {file.reason}" for file in end.rejected_files),
    ]
    if not at_fault:
        lines.append(
            "The files that are still there go on by themselves, as a batch of their own. What to "
            "do: nothing, or upload the deleted ones again if they are wanted."
        )
        gone = plural(len(end.rejected_files), "file")
        return _notification(f"Batch {batch.batch_id} stopped: {gone} deleted meanwhile", lines)
    lines += [
        "The healthy files wait for corrected versions of exactly these keys, and then go on "
        "together with them. Other uploads do not change that.",
        f"What to do: {_to_correct(batch, at_fault)} and upload it again under its key; or let the "
        f"healthy ones go without: `ecp release {batch.batch_id} --reason WHY`.",
    ]
    count = plural(len(at_fault), "file")
    return _notification(f"Batch {batch.batch_id} rejected: {count} at fault", lines)


def _to_correct(batch: Batch, at_fault: Sequence[RejectedFile]) -> str:
    """How a file at fault is seen and corrected; one that was valid is in no quarantine."""
    shown = (
        f"see the faults with `ecp quarantine show {batch.batch_id}`, get a file back as it came "
        "with `ecp quarantine export KEY --to FILE`, correct it"
    )
    by_itself = (
        "every row is right by itself, so quarantine does not show why: correct the file, which "
        "still lies under its key, as its reason above says"
    )
    if not any(file.valid for file in at_fault):
        return shown
    if all(file.valid for file in at_fault):
        return by_itself
    return f"{shown}; where it does not show the file, {by_itself}"


def failed(batch: Batch, end: BatchFailed) -> SnsNotification:
    """The pipeline was at fault: why, and how to run the batch again."""
    lines = [
        f"Batch {batch.batch_id} failed, and not because of its data: {end.reason}",
        f"Its {plural(batch.sealed.file_count, 'file')} are kept, and nothing of them is lost.",
        f"What to do: see what happened with `ecp batch {batch.batch_id}`, then run it again with "
        f"`ecp redrive {batch.batch_id}`.",
    ]
    return _notification(f"Batch {batch.batch_id} failed: redrive it", lines)


def overdue(event: BatchOverdue) -> SnsNotification:
    """A set has waited too long: for what, since when, and how to start it anyway."""
    lines = [
        f"{plural(event.file_count, 'file')} in {event.bucket} wait since {event.waiting_since} "
        "and cannot be processed yet. Nothing of them is lost. Still missing:",
        *_listed(event.missing),
        "What to do: upload what is missing. The healthy files of a rejected batch go on without "
        "the rejected ones by `ecp release BATCH --reason WHY`; to process whatever else is there, "
        f'start `ecsJob` by hand with input {{"fileKey": "", "bucket": "{event.bucket}"}}. '
        "`ecp status` shows the files that wait.",
    ]
    return _notification(f"Files wait in {event.bucket}: {len(event.missing)} missing", lines)


def ignored(bucket: str, folder: str, events: Sequence[FileIgnored]) -> SnsNotification:
    """Files came that nobody will read: why, and under which names they would be."""
    lines = [
        f"{plural(len(events), 'file')} under {folder} in {bucket} will not be processed:",
        *_listed(
            f"{event.key}: {event.reason}"
            + (f"; did you mean {event.did_you_mean}?" if event.did_you_mean else "")
            for event in events
        ),
        "What to do: upload them again under the right names, if they are inputs. `ecp ignored` "
        f"lists all that is left out; of {folder} you are told once a day.",
    ]
    return _notification(f"Files under {folder} are ignored", lines)


def _notification(subject: str, lines: Sequence[str]) -> SnsNotification:
    """A subject of one line and a text whose lines are ours, whatever keys and reasons hold."""
    text = "\n".join(map(printable, lines))
    return SnsNotification(
        printable(subject)[:MAX_SUBJECT_CHARACTERS], text[:MAX_MESSAGE_CHARACTERS]
    )


def _waiting(count: int) -> str:
    if count == 1:
        return "1 order line waits for its order and counts when that comes."
    return f"{count} order lines wait for their orders and count when those come."


def _order_totals(totals: OrderTotals) -> str:
    worst = totals.worst[0]
    has = "order has a total that is" if totals.differing == 1 else "orders have totals that are"
    return (
        f"Warning: {totals.differing} {has} not the sum of the order lines; the worst is order "
        f"{worst.order_id}: {_money(worst.total_amount_cents)}, its lines make "
        f"{_money(worst.lines_cents)}. All count as stated."
    )


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _listed(lines: Iterable[str]) -> list[str]:
    every = [f"  {line}" for line in lines]
    if len(every) > NAMED_FILES:
        return [*every[:NAMED_FILES], f"  and {len(every) - NAMED_FILES:,} more"]
    return every


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
