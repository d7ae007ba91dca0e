"""Who may write, how far a batch has come, and what its files amount to: pure decisions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from contracts.envelope import Message
from contracts.errors import DataRejected, PipelineError, StaleWriter
from contracts.messages import BatchAbandoned, KpisPublished, ObjectRef, TransformStarted
from services.runtime import fences
from services.transformer.engines.port import EngineName

Heads = Mapping[str, int]
Phase = Literal["FACTS", "PUBLISHING", "ABANDONING"]
STATE_ID = "facts"
MEGABYTE = 1_000_000
NAMED_FILES = 3


class InputsRejected(DataRejected):
    """Inputs that cannot be published together, or not on these facts.

    `file_indexes` name those at fault.
    """

    def __init__(self, reason: str, file_indexes: Sequence[int]) -> None:
        super().__init__(reason)
        self.file_indexes = tuple(file_indexes)


@dataclass(frozen=True)
class InFlight:
    """The batch that the current epoch works on; PUBLISHING is past the point of no return."""

    batch_id: str
    phase: Phase
    attempt: int
    heads_before: Heads
    result: ObjectRef | None = None


@dataclass(frozen=True)
class TransformerState:
    """The item that every write of this service is conditional on (docs/design.md, Lock)."""

    epoch: int = 0
    fence: int = 0
    abandoned_fence: int = 0
    heads: Heads | None = None
    in_flight: InFlight | None = None
    pseudonym_check: str | None = None
    """Which keys made the pseudonyms of the facts at `heads`; None: no batch has said it yet."""
    currency: str | None = None
    """What the amounts of the facts are in (ISO 4217); None: no batch has said it yet."""

    @property
    def phase(self) -> str:
        """How far this epoch has come; an epoch only moves on, so both together name one state."""
        return self.in_flight.phase if self.in_flight else "SETTLED"

    def as_stored(self) -> Mapping[str, Any]:
        """What the item must still say for a change made from this state to be right.

        The epoch alone would not do: a slow owner may publish under it after this was read. Nor
        would both: a fence that was raised meanwhile must not be lowered by who read the older one.
        """
        if not self.epoch:
            return {"epoch": None}
        return {"epoch": self.epoch, "phase": self.phase, "fence": self.fence}

    def admit(self, fence: int, leap: int = fences.LEAP) -> None:
        """Raise StaleWriter when a holder of a newer lock grant was seen here.

        Raises Refused for a fence that no grant can have (services/runtime/fences.py).
        """
        fences.admit(fence, self.fence, leap)

    def begin(self, batch_id: str, fence: int, attempt: int, mains: Heads) -> "TransformerState":
        """The next epoch, at work on a batch.

        `mains` are where the facts stand; they count only while nothing was ever published.
        Raises StaleWriter when the batch was abandoned under this grant.
        """
        if fence <= self.abandoned_fence:
            raise StaleWriter(
                f"batch {batch_id} was abandoned under lock fence {self.abandoned_fence}; "
                "acquire the lock again",
                seen_fence=self.abandoned_fence,
            )
        return self._next("FACTS", batch_id, fence, attempt, mains)

    def begin_abandoning(
        self, batch_id: str, fence: int, attempt: int, mains: Heads
    ) -> "TransformerState":
        """The next epoch, at work on undoing a batch; later attempts under this grant are stale."""
        undoing = self._next("ABANDONING", batch_id, fence, attempt, mains)
        return replace(undoing, abandoned_fence=max(fence, self.abandoned_fence))

    def take_over(self, fence: int) -> "TransformerState":
        """The next epoch, which finishes what the one before had begun to publish."""
        return replace(self, epoch=self.epoch + 1, fence=max(fence, self.fence))

    def publish(
        self,
        heads: Heads,
        result: ObjectRef,
        pseudonym_check: str | None = None,
        currency: str | None = None,
    ) -> "TransformerState":
        """Past the point of no return: these heads are the truth, the KPIs follow.

        The first batch that names users says which keys made their pseudonyms, the first that
        names a currency says what all amounts are in.
        """
        if self.in_flight is None:
            raise PipelineError(f"epoch {self.epoch} has nothing in flight to publish")
        publishing = replace(self.in_flight, phase="PUBLISHING", result=result)
        check = self.pseudonym_check or pseudonym_check
        return replace(
            self,
            heads=dict(heads),
            in_flight=publishing,
            pseudonym_check=check,
            currency=self.currency or currency,
        )

    def rekeyed(self, heads: Heads, pseudonym_check: str) -> "TransformerState":
        """The facts at these heads hold pseudonyms that those keys made."""
        return replace(self, heads=dict(heads), pseudonym_check=pseudonym_check)

    def settle(self) -> "TransformerState":
        """Nothing is in flight any more."""
        return replace(self, in_flight=None)

    def _next(
        self, phase: Phase, batch_id: str, fence: int, attempt: int, mains: Heads
    ) -> "TransformerState":
        if self.in_flight is not None and self.in_flight.phase == "PUBLISHING":
            raise StaleWriter(
                f"epoch {self.epoch} is publishing batch {self.in_flight.batch_id}; "
                "that is to be finished first, then try again"
            )
        heads = self.heads or dict(mains)
        return replace(
            self,
            epoch=self.epoch + 1,
            fence=max(fence, self.fence),
            heads=heads,
            in_flight=InFlight(batch_id, phase, attempt, heads_before=heads),
        )

    @staticmethod
    def from_item(item: Mapping[str, Any] | None) -> "TransformerState":
        """Read the item of TransformerState; an absent one is the state before any batch."""
        if item is None:
            return TransformerState()
        flight = item.get("in_flight")
        return TransformerState(
            epoch=item["epoch"],
            fence=item["fence"],
            abandoned_fence=item["abandoned_fence"],
            heads=_ids(item["heads"]),
            in_flight=flight
            and InFlight(
                batch_id=flight["batch_id"],
                phase=flight["phase"],
                attempt=flight["attempt"],
                heads_before=_ids(flight["heads_before"]),
                result=ObjectRef(**flight["result"]) if flight["result"] else None,
            ),
            pseudonym_check=item.get("pseudonym_check"),
            currency=item.get("currency"),
        )

    def to_item(self) -> dict[str, Any]:
        """The item as it is stored; snapshot ids are text, they outgrow a JSON number."""
        flight = self.in_flight
        return {
            "StateId": STATE_ID,
            "epoch": self.epoch,
            "fence": self.fence,
            "abandoned_fence": self.abandoned_fence,
            "heads": as_text(self.heads or {}),
            "phase": self.phase,
            "pseudonym_check": self.pseudonym_check,
            "currency": self.currency,
            "in_flight": flight
            and {
                "batch_id": flight.batch_id,
                "phase": flight.phase,
                "attempt": flight.attempt,
                "heads_before": as_text(flight.heads_before),
                "result": flight.result.model_dump() if flight.result else None,
            },
        }


@dataclass(frozen=True)
class BatchHistory:
    """What the stream transformation/<batch_id> says of a batch."""

    version: int = 0
    result: ObjectRef | None = None
    abandoned_under: int = 0
    is_begun: bool = False
    """Whether any attempt ever took an epoch for it."""

    def admit(self, batch_id: str, fence: int) -> None:
        """Raise StaleWriter for an attempt under a grant under which the batch was given up."""
        if fence <= self.abandoned_under:
            raise StaleWriter(
                f"batch {batch_id} was abandoned under lock fence {self.abandoned_under}; "
                "acquire the lock again",
                seen_fence=self.abandoned_under,
            )

    @staticmethod
    def replay(events: Iterable[Message]) -> "BatchHistory":
        """Fold the stream."""
        history = BatchHistory()
        for event in events:
            history = replace(history, version=event.stream_version)
            match event.data:
                case TransformStarted():
                    history = replace(history, is_begun=True)
                case KpisPublished():
                    history = replace(history, result=event.data.result)
                case BatchAbandoned():
                    history = replace(history, abandoned_under=event.data.fence)
        return history


def choose_engine(
    wanted: str, size_bytes: int, threshold_mb: int, *, spark_is_here: bool
) -> tuple[EngineName, str]:
    """The engine and why; `wanted` is TRANSFORM_ENGINE (auto, duckdb or spark).

    `size_bytes` is the declared size of the batch's inputs.
    """
    if wanted == "duckdb":
        return "duckdb", "TRANSFORM_ENGINE=duckdb"
    if wanted == "spark":
        return "spark", "TRANSFORM_ENGINE=spark"
    megabytes = size_bytes / MEGABYTE
    if megabytes < threshold_mb:
        return "duckdb", f"{megabytes:.1f} MB of input is under SPARK_THRESHOLD_MB={threshold_mb}"
    if not spark_is_here:
        return "duckdb", f"{megabytes:.1f} MB of input, but Spark or Java is not installed here"
    return "spark", f"{megabytes:.1f} MB of input is not under SPARK_THRESHOLD_MB={threshold_mb}"


def engine_to_finish(made_by: EngineName, *, spark_is_here: bool) -> EngineName:
    """The engine for a publication that broke off: the one that composed it, if it can start.

    What Spark composed may be too much for DuckDB's memory; where there is no Spark it must try.
    """
    return made_by if spark_is_here else "duckdb"


def staged_check(reports: Mapping[int, Mapping[str, Any]], of_the_facts: str | None) -> str | None:
    """Which keys made the staged pseudonyms (FileReport), None when no user is named: guests only.

    Raises StaleWriter unless all were made by the keys that made those of the facts: the same user
    would be two. Facts of which no batch has said it yet take any.
    """
    staged = {
        report.get("pseudonym_check")
        for report in reports.values()
        if report["kind"] == "orders" and report["staged"] and _names_users(report)
    }
    if len(staged) > 1 or (staged and of_the_facts is not None and staged != {of_the_facts}):
        raise StaleWriter(
            "the pseudonyms that were staged are not made by the keys that made those of the "
            "facts: the key was rotated meanwhile (`ecp privacy rotate-key` finishes that); "
            "redrive the batch, which stages its rows anew"
        )
    return next(iter(staged), None)


def _names_users(report: Mapping[str, Any]) -> bool:
    return bool(report["accepted"] > report.get("guests", 0))


def statement_indexes(manifest: Mapping[str, Any]) -> dict[int, int]:
    """Which files are one statement, by file index: the greater index is the newer statement.

    Files of one `statement` are one together, stated when the last of them is (docs/design.md,
    Validation); any other file is a statement of its own.
    """
    last: dict[str, int] = {}
    for file in manifest["files"]:
        if file.get("statement"):
            last[file["statement"]] = max(file["index"], last.get(file["statement"], 0))
    return {
        file["index"]: last.get(file.get("statement") or "", file["index"])
        for file in manifest["files"]
    }


def check_inputs(
    reports: Mapping[int, Mapping[str, Any]], currency_of_the_facts: str | None
) -> str | None:
    """The currency that the batch says its amounts are in, None when no row of it says.

    Raises InputsRejected, which nothing was done for yet: a file was rejected, the files say more
    than one currency, or another one than the facts are in (docs/design.md, Validation).
    """
    rejected = [index for index, report in reports.items() if report["status"] != "accepted"]
    if rejected:
        first = reports[rejected[0]]
        raise InputsRejected(f"{first['key']} was rejected: {first['reason']}", rejected)
    said = {
        index: str(report["currency"])
        for index, report in sorted(reports.items())
        if report.get("currency")
    }
    currencies = sorted(set(said.values()))
    expected = currency_of_the_facts or (currencies[0] if len(currencies) == 1 else None)
    at_fault = [index for index, currency in said.items() if currency != expected]
    if at_fault:
        found = "; ".join(
            f"{currency} in {_named([i for i in said if said[i] == currency], reports)}"
            for currency in currencies
        )
        published = (
            f"what is published is in {currency_of_the_facts}"
            if currency_of_the_facts
            else "the files of this batch are in more than one"
        )
        raise InputsRejected(
            f"the pipeline has one currency, and {published}: {found}. Convert the amounts, or "
            "leave these files out, and submit again",
            at_fault,
        )
    return next(iter(currencies), None)


def _named(indexes: Sequence[int], reports: Mapping[int, Mapping[str, Any]]) -> str:
    keys = [str(reports[index]["key"]) for index in indexes[:NAMED_FILES]]
    more = len(indexes) - len(keys)
    return ", ".join(keys) + (f" and {more:,} more" if more else "")


def file_results(
    manifest: Mapping[str, Any],
    reports: Mapping[int, Mapping[str, Any]],
    accepted_rows: Mapping[tuple[str, int], int],
    superseded_rows: Mapping[tuple[str, int], int],
) -> list[dict[str, Any]]:
    """One FileResult per input: the validator's sum, rows_in = accepted + quarantined + duplicates.

    Of the accepted rows, which were staged, `accepted_rows` stand in the facts and a newer file of
    the batch replaced the `superseded_rows`, by (kind, file index). Raises PipelineError when
    either sum does not hold.
    """
    results = []
    for file in manifest["files"]:
        original = file["index"] if file.get("duplicate_of") is None else file["duplicate_of"]
        report = reports[original]
        result = {
            "index": file["index"],
            "key": file["key"],
            "kind": file["kind"],
            "rows_in": report["rows_in"],
            "reason": None,
            "unknown_columns": report["unknown_columns"],
        }
        if original != file["index"]:
            counts = {"accepted": 0, "quarantined": 0, "duplicates": report["rows_in"]}
            results.append({**result, "status": "duplicate", **counts, "guests": 0})
            continue
        counts = {
            "accepted": report["accepted"],
            "quarantined": report["quarantined"],
            "duplicates": report.get("duplicates", 0),
        }
        if sum(counts.values()) != report["rows_in"]:
            raise PipelineError(
                f"{file['key']} does not balance: {report['rows_in']} rows in, {counts}; "
                "nothing was published"
            )
        stand = accepted_rows.get((file["kind"], original), 0)
        superseded = superseded_rows.get((file["kind"], original), 0)
        if stand + superseded != report["accepted"]:
            raise PipelineError(
                f"{file['key']} does not balance: {report['accepted']} rows were staged, {stand} "
                f"stand and {superseded} are replaced by newer files; nothing was published"
            )
        guests = report.get("guests", 0)
        results.append({**result, "status": "accepted", **counts, "guests": guests})
    return results


def check_row_counts(
    before: Mapping[str, int],
    replaced: Mapping[str, int],
    written: Mapping[str, int],
    after: Mapping[str, int],
    touched: Sequence[str],
) -> None:
    """Raise PipelineError unless each table holds exactly the rows that the batch should leave."""
    for table, rows_after in after.items():
        change = written[table] - replaced[table] if table in touched else 0
        expected = before[table] + change
        if rows_after != expected:
            raise PipelineError(
                f"facts table {table} would hold {rows_after} rows, expected {expected}; "
                "nothing was published"
            )


def as_text(heads: Heads) -> dict[str, str]:
    """Snapshot ids as text."""
    return {table: str(snapshot_id) for table, snapshot_id in heads.items()}


def _ids(heads: Mapping[str, str]) -> Heads:
    return {table: int(snapshot_id) for table, snapshot_id in heads.items()}
