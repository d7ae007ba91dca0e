"""What the pages of batches show: one batch with its stages, files and events."""

from dataclasses import dataclass
from typing import Any

from contracts.envelope import parse
from services.api.console.shown import seconds_between
from services.api.console.stages import Stage, is_moving, stages
from services.api.http.paging import cursor_of
from services.api.http.ports import Ports
from services.api.views.batch import in_order
from services.api.views.domain import partition_of
from services.api.views.models import BatchView, FileView
from services.api.views.reading import Position
from services.api.views.sentences import describe

SHOWN_EVENTS = 500
SHOWN_FILES = 50
PICTURE_WIDTH = 1000


@dataclass(frozen=True)
class Moment:
    """An event, `seconds` after the first one that is shown of the batch."""

    at: str
    seconds: float
    event_type: str
    said: str


@dataclass(frozen=True)
class Bar:
    """A stage's place in the picture of the timeline."""

    stage: Stage
    x: float
    width: float


@dataclass(frozen=True)
class BatchPage:
    """`next_events`: cursor of the events that follow; `has_more_files`: not all are here."""

    batch: BatchView
    stages: list[Stage]
    bars: list[Bar]
    moments: list[Moment]
    files: list[FileView]
    has_more_files: bool
    next_events: str | None
    is_moving: bool
    seconds: float | None


def batch_page(ports: Ports, body: dict[str, Any], position: Position) -> BatchPage:
    """A batch from its view and its events; `position`: after which event to begin."""
    batch, now = BatchView(**body), ports.clock()
    pk = partition_of(batch.batch_id)
    events = ports.views.page(pk, "event#", position, SHOWN_EVENTS)
    ordered = in_order([parse(one) for one in events.bodies])
    files = ports.views.page(pk, "file#", None, SHOWN_FILES)
    found = stages(batch, ordered, now) if position is None else []
    start = batch.sealed_at or (ordered[0].occurred_at if ordered else batch.last_event_at)
    return BatchPage(
        batch=batch,
        stages=found,
        bars=_bars(found),
        moments=[
            Moment(
                one.occurred_at,
                seconds_between(start, one.occurred_at),
                one.event_type,
                describe(one),
            )
            for one in ordered
        ],
        files=[FileView(**one) for one in files.bodies],
        has_more_files=files.next is not None,
        next_events=cursor_of(events.next),
        is_moving=is_moving(batch, now),
        seconds=duration_of(batch),
    )


def duration_of(batch: BatchView) -> float | None:
    """From its sealing to its end; None while it has none."""
    if batch.sealed_at is None or batch.closed_at is None:
        return None
    return max(seconds_between(batch.sealed_at, batch.closed_at), 0)


def _bars(found: list[Stage]) -> list[Bar]:
    """Stages that took time, each at least a hair wide."""
    been = [one for one in found if one.began is not None and one.seconds is not None]
    whole = max((one.ended or 0 for one in been), default=0)
    if not whole:
        return []
    scale = PICTURE_WIDTH / whole
    return [
        Bar(one, round((one.began or 0) * scale, 1), round(max((one.seconds or 0) * scale, 3), 1))
        for one in been
    ]
