"""Telling people that files are ignored: once a day for each folder, and not of hidden files."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.envelope import MessageContext
from contracts.input_names import why_not_an_input
from contracts.layout import INCOMING_PREFIX, source_of
from contracts.messages import FileIgnored
from services.aggregator import notifications as notices
from services.aggregator import read_model
from services.aggregator.ports import SOURCE, Ports
from services.runtime.event_store import PutItem

FOLDERS_A_DAY = 20
"""Of more folders nobody is told: thousands of keys must not become thousands of mails."""
ROOT = "/"


def tell_of_ignored(bucket: str, events: Sequence[object], ports: Ports) -> None:
    """Tell people of the folders of which they have not been told today.

    Told first and remembered then: a crash in between tells twice, never not at all.
    """
    by_folder: dict[str, list[FileIgnored]] = {}
    for event in events:
        if isinstance(event, FileIgnored) and was_meant_to_be_sent(event.key):
            by_folder.setdefault(folder_of(event.key), []).append(event)
    if not by_folder:
        return
    key, today = read_model.people_told_key(bucket), ports.clock().date().isoformat()
    row = ports.store.get_item(ports.table, key) or {}
    told = list(row["folders"]) if row.get("day") == today else []
    fresh = [folder for folder in by_folder if folder not in told][: FOLDERS_A_DAY - len(told)]
    if not fresh:
        return
    for folder in fresh:
        ports.people.tell(notices.ignored(bucket, folder, by_folder[folder]))
    ports.store.append(
        context=MessageContext(SOURCE),
        writes=[PutItem(ports.table, key | {"day": today, "folders": told + fresh})],
    )


def was_meant_to_be_sent(key: str) -> bool:
    """Whether a person may want to know: hidden files and folder markers come by themselves."""
    fault = why_not_an_input(key)
    return fault is None or not fault.is_hidden


def folder_of(key: str) -> str:
    """The first part of the key, and the source's where it has one; `/` for one in no folder."""
    if (source := source_of(key)) is not None:
        return f"{INCOMING_PREFIX}{source}/"
    folder, separator, _ = key.partition("/")
    return f"{folder}/" if separator else ROOT
