"""What became of a file's quarantined rows: open, answered by a replay, or given up."""

from collections.abc import Iterable, Iterator

from contracts.envelope import parse
from contracts.messages import AnsweredRow, ObjectRef, QuarantineDismissed
from services.api.corrections.ports import Corrects
from services.api.views.domain import REPLAYS, partition_of
from services.api.views.models import FileView
from services.api.views.reading import ViewsRead, every
from services.runtime.quarantine.replays import arrange
from services.runtime.quarantine.resolutions import Dismissal, Resolutions

MOST_REPLAYS = 200
"""So many of the newest are looked at."""


def resolutions_of(views: ViewsRead, corrects: Corrects, file: FileView) -> Resolutions:
    """As far as replays and dismissals tell; copies of the file that came since are not known."""
    replays = {
        row_id: replay
        for row_id, replay in arrange(_replays(views, corrects, file)).items()
        if (row_id.batch_id, row_id.key) == (file.batch_id, file.key)
    }
    dismissals = [
        Dismissal(
            file.batch_id,
            file.key,
            None if event.lines is None else frozenset(event.lines),
            event.requested_by,
            event.reason,
            at,
        )
        for event, at in _dismissed(views, file)
    ]
    return Resolutions(replays, dismissals)


def _replays(
    views: ViewsRead, corrects: Corrects, file: FileView
) -> Iterator[tuple[str, str, str, Iterable[AnsweredRow]]]:
    """Replays since the file was validated, the oldest first."""
    found = views.newest(REPLAYS, None, MOST_REPLAYS).bodies
    since = [body for body in found if body["sealed_at"] > file.validated_at]
    for body in reversed(since):
        document = corrects.links(ObjectRef(**body["answers"]))
        if document is not None:
            yield body["batch_id"], body["status"], body["sealed_at"], document.rows


def _dismissed(views: ViewsRead, file: FileView) -> Iterator[tuple[QuarantineDismissed, str]]:
    for body in every(views, partition_of(file.batch_id), "event#"):
        message = parse(body)
        if isinstance(message.data, QuarantineDismissed) and message.data.key == file.key:
            yield message.data, message.occurred_at
