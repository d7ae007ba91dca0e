"""Finds the batch that a submission becomes part of, and stops where one waits for more."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.clock import system_clock
from contracts.envelope import Message
from contracts.identities import FileIdentity
from infra.ecp.batches.open_set import load_open_set
from infra.ecp.batches.queries import batch_holding, newest_batches
from infra.ecp.submissions.completion import Completion, completion, is_noticed
from infra.ecp.submissions.upload import Submission
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from services.aggregator.open_set.completeness import blocked_by
from services.aggregator.open_set.domain import FileSet
from services.runtime.wording import listed, plural

LOOK_EVERY_SECONDS = 0.5
SEARCH_EVERY_SECONDS = 3.0
SEARCHED_BATCHES = 25
NAMED_KEYS = 5


class StillWaiting(CommandFailed):
    """The files were taken in, and a rejected batch that they go with needs more."""

    exit_code = ExitCode.DATA_REJECTED

    def __init__(self, found: Completion) -> None:
        super().__init__(f"the files are taken in, and wait: {what_is_missing(found)}")
        self.completion = found


@dataclass
class BatchOfSubmission:
    """Reads the events of the batch that holds the submitted files.

    It is the batch of exactly these files, or of these and what waits since a batch was rejected.
    When somebody else changed the set meanwhile, it is looked for among the newest batches.
    """

    target: Target
    submission: Submission
    before: FileSet | None = None
    """The open set as it was before the upload: the batch may be sealed by now."""
    say: Callable[[str], None] = lambda _: None
    """Tells people what the files wait for, once each time that it changes."""
    completes: Completion | None = field(init=False)
    batch_id: str = field(init=False)
    _looked_at: float = field(default_factory=time.monotonic)
    _searched_at: float = field(default_factory=time.monotonic)
    _said: Sequence[str] = ()

    def __post_init__(self) -> None:
        file_set = self.before or open_set_of(self.target)
        sent = self.submission
        self.completes = completion(file_set, sent.manifest_key, sent.files, system_clock())
        self.batch_id = self.completes.batch_id if self.completes else self.submission.batch_id

    def read(self) -> Sequence[Message]:
        """The events so far; raises StillWaiting when the batch needs more than these files."""
        events = self.target.event_store.read_correlated(self.batch_id)
        now = time.monotonic()
        if events or now - self._looked_at < LOOK_EVERY_SECONDS:
            return events
        self._looked_at = now
        file_set = open_set_of(self.target)
        self._say_what_is_missing(file_set)
        if (found := self._once_noticed(file_set)) is not None:
            if found.missing:
                raise StillWaiting(found)
            self.batch_id = found.batch_id
        elif now - self._searched_at >= SEARCH_EVERY_SECONDS:
            self._searched_at = now
            self.batch_id = self._among_the_newest() or self.batch_id
        return self.target.event_store.read_correlated(self.batch_id)

    def _say_what_is_missing(self, file_set: FileSet) -> None:
        lacking = blocked_by(_only(file_set, self.submission.files), "")
        if lacking and lacking != self._said:
            self.say(
                f"the files wait for {listed(lacking, NAMED_KEYS)}; they go on once it is there"
            )
        self._said = lacking

    def _once_noticed(self, file_set: FileSet) -> Completion | None:
        """What the aggregator has the files wait with; None while it has not taken them in."""
        sent = self.submission
        if not is_noticed(file_set, sent.manifest_key, sent.files):
            return None
        return completion(file_set, sent.manifest_key, sent.files, system_clock())

    def _among_the_newest(self) -> str | None:
        newest = newest_batches(self.target.client("dynamodb"), SEARCHED_BATCHES)
        candidates = [str(batch["batch_id"]) for batch in newest]
        store, objects = self.target.event_store, self.target.objects
        return batch_holding(self.submission.files, candidates, store, objects)


def _only(file_set: FileSet, sent: Sequence[FileIdentity]) -> FileSet:
    """The set with none but these files."""
    files = {each: file_set.files[each] for each in sent if each in file_set.files}
    return replace(file_set, files=files)


def open_set_of(target: Target) -> FileSet:
    """The open set of the data bucket."""
    return load_open_set(target.event_store, target.event_store, target.names.data_bucket)[0]


def what_it_completes(found: Completion) -> str:
    """`completes what waits since batch X was rejected: 2 healthy files go along`."""
    batches = " and ".join(found.rejected)
    were = "was" if len(found.rejected) == 1 else "were"
    along = (
        f"{plural(found.healthy, 'healthy file')} {'goes' if found.healthy == 1 else 'go'} along"
    )
    verb = "belongs to" if found.missing else "completes"
    return f"{verb} what waits since batch {batches} {were} rejected: {along}"


def what_is_missing(found: Completion) -> str:
    """Which corrected keys rejected batches still need, and the way without them."""
    said = []
    for one in found.missing:
        release = f"`ecp release {one.batch_id} --reason WHY` lets the rest go without"
        named = listed(one.keys, NAMED_KEYS)
        said.append(
            f"rejected batch {one.batch_id} still needs a corrected {named}: submit it too, "
            f"or {release} it"
        )
    return "; ".join(said)


def completion_document(found: Completion | None) -> dict[str, Any]:
    """What a submission completes, for programs."""
    return {
        "completes": list(found.rejected) if found else [],
        "still_missing": [
            {"batch_id": one.batch_id, "keys": list(one.keys)}
            for one in (found.missing if found else ())
        ],
    }
