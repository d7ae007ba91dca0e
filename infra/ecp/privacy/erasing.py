"""One user, erased from one cloud: look, have each owner erase what is theirs, write the receipt.

A run that is cut short anywhere is finished by another one: its request, with the token, stays in
the archive bucket until the receipt is written.
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from contracts.clock import new_event_id, system_clock, to_rfc3339
from contracts.envelope import Message, MessageContext, unanswered_command
from contracts.layout import (
    OPEN_ERASURES_PREFIX,
    erasure_receipt_key,
    erasure_request_key,
    pseudonym_erasure_key,
)
from contracts.messages import (
    ErasedFacts,
    EraseFromArchive,
    EraseFromFacts,
    EraseFromQuarantine,
    ErasureReceipt,
    ErasureRequest,
    ObjectRef,
    ObjectVersion,
)
from infra.ecp.maintenance.requests import start_worker
from infra.ecp.names import SOURCE
from infra.ecp.privacy import erasure
from infra.ecp.privacy.source_columns import SourceColumns
from infra.ecp.requester import requester
from infra.ecp.settings import CliSettings
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from infra.ecp.terminal.output import print_beside, spinner
from services.api.views.sentences import describe
from services.runtime.privacy.erasure import Erasure, erase_in, replacement_of
from services.runtime.privacy.pseudonyms import Keyed, keys_of
from services.runtime.privacy.user_ids import Replacement
from services.runtime.storage.documents import check_document
from services.runtime.storage.object_versions import S3Versions

RECEIPT_MARK = b"\0receipt\0"
"""No user id holds a NUL, so no digest of a receipt is a pseudonym of somebody."""
Objects = Collection[ObjectVersion]
STREAMS = {"validator": "validation", "archiver": "archive", "transformer": "transformation"}
WOKEN = frozenset(("validator", "transformer"))


@dataclass
class Erasing:
    """One user to erase from one cloud."""

    target: Target
    user_id: str

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        secret_id = self.target.names.get("validator", "pseudonym-secret-id")
        client = self.target.client("secretsmanager")
        return keys_of(client.get_secret_value(SecretId=secret_id)["SecretString"])

    @cached_property
    def request(self) -> ErasureRequest:
        """That of a run that was cut short, else a new one with a new token.

        The pseudonyms are made anew: the key may have been rotated since.
        """
        s3, bucket = self.target.client("s3"), self.target.names.archive_bucket
        known = erasure.open_request(s3, bucket, self.user_id)
        token = known.user_token if known else None
        token = token or f"erased-{secrets.token_hex(16)}"
        return ErasureRequest(
            erasure_id=known.erasure_id if known else f"erasure-{new_event_id()}",
            requested_by=known.requested_by if known else requester(),
            requested_at=known.requested_at if known else to_rfc3339(system_clock()),
            user_id=self.user_id,
            user_token=token,
            pseudonyms=erasure.pseudonyms_of(self.user_id, token, self._keys),
            said_as=self._said_as(known.said_as if known else []),
        )

    @property
    def _wanted(self) -> Replacement:
        return replacement_of(self.request)

    def _said_as(self, known: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """How the user stands where an expression makes the id; what a run before has found, too.

        That run may have rewritten the rows that said so.
        """
        from infra.ecp.privacy.stated_users import said_as

        names, s3 = self.target.names, self.target.client("s3")
        kept, moved = self._objects()
        sent = self._as_read(erasure.uploads(s3, names.data_bucket))
        found = [*known]
        for bucket, objects in ((names.data_bucket, [*sent, *kept]), (names.archive_bucket, moved)):
            found += said_as(
                self.user_id,
                objects,
                S3Versions(s3, bucket),
                self._columns.versions,
                self._columns.lookups,
            )
        return list({tuple(sorted(each.items())): each for each in found}.values())

    @cached_property
    def _digest(self) -> str:
        return Keyed(self._keys[0]).of(RECEIPT_MARK + self.user_id.encode())

    def receipts(self) -> list[ErasureReceipt]:
        """Earlier receipts of this user."""
        bucket = self.target.names.archive_bucket
        return erasure.receipts(self.target.client("s3"), bucket, self._digest)

    def uploads(self) -> erasure.Uploads:
        """What stands in the way, and which uploads can be deleted."""
        target, bucket = self.target, self.target.names.data_bucket
        s3, dynamodb = target.client("s3"), target.client("dynamodb")
        batches = erasure.open_batches(dynamodb, target.objects)
        sent = self._as_read(erasure.uploads(s3, bucket))
        found = erasure.search(sent, s3, bucket, self._wanted, system_clock)
        identities = erasure.identities(bucket, found.holding)
        judged = erasure.judge_uploads(
            bucket,
            found.holding,
            erasure.pending_files(target.event_store, target.event_store, bucket),
            batches.failed,
            erasure.are_known(dynamodb, identities),
        )
        obstacles = [*erasure.in_work(batches), *judged.obstacles, *self._half_archived(batches)]
        return erasure.Uploads(
            tuple(obstacles), judged.leftovers, found.versions, tuple(found.unsearched)
        )

    def _half_archived(self, batches: erasure.Batches) -> list[str]:
        s3, bucket = self.target.client("s3"), self.target.names.archive_bucket
        said: list[str] = []
        for batch_id in batches.failed:
            objects = self._as_read(erasure.archived(s3, bucket, batch_id))
            found = erasure.search(objects, s3, bucket, self._wanted, system_clock)
            said += erasure.judge_archived(batch_id, found.holding)
        return said

    def _search(self, kept: Objects, moved: Objects) -> tuple[Erasure, Erasure]:
        """What of the validator's and the archiver's objects holds the user; changes nothing."""
        # pyarrow takes a third of a second to import, which no other command should wait for.
        from services.validator.erasure import rewrites

        s3, names = self.target.client("s3"), self.target.names
        versions = S3Versions(s3, names.data_bucket)
        rewrite_of = rewrites(self.request, system_clock().date())
        return (
            erase_in(kept, versions, rewrite_of, dry_run=True),
            erasure.search(moved, s3, names.archive_bucket, self._wanted, system_clock),
        )

    def _objects(self) -> tuple[list[ObjectVersion], list[ObjectVersion]]:
        s3, names = self.target.client("s3"), self.target.names
        return (
            self._as_read(erasure.quarantined_and_staged(s3, names.data_bucket)),
            self._as_read(erasure.archived(s3, names.archive_bucket)),
        )

    def _as_read(self, objects: Iterable[ObjectVersion]) -> list[ObjectVersion]:
        return erasure.as_read(objects, self._columns.of)

    @cached_property
    def _columns(self) -> SourceColumns:
        names = self.target.names
        return SourceColumns(self.target.client("s3"), names.data_bucket)

    def plan(self, uploads: erasure.Uploads) -> dict[str, Any]:
        """Where the user is, read with the rights of whoever asks."""
        from infra.ecp.kpis.facts import PublishedFacts, plan_erasure

        target = self.target
        kept, moved = self._search(*self._objects())
        published = PublishedFacts(target.facts, target.client("dynamodb"))
        return {
            "dry_run": True,
            "obstacles": list(uploads.obstacles),
            "objects": [
                {"place": place, **version.model_dump()}
                for place, holding in (
                    ("uploads", uploads.leftovers),
                    ("quarantine", kept.holding),
                    ("archive", moved.holding),
                )
                for version in holding
            ],
            "facts": plan_erasure(published, self.request.pseudonyms[-1].pseudonym),
            "unsearched": [
                each.model_dump()
                for each in (*uploads.unsearched, *kept.unsearched, *moved.unsearched)
            ],
        }

    def run(self, uploads: erasure.Uploads, *, quietly: bool) -> ErasureReceipt:
        """Have each owner erase what is theirs, delete leftover uploads, write the receipt."""
        refs = self._put_requests()
        objects = self._objects()
        ended = self._have_done(self._commands(refs, *objects), quietly=quietly)
        self._delete(self.target.names.data_bucket, uploads.leftovers)
        self._must_be_gone(*objects)
        receipt = self._receipt(uploads, ended)
        self._close(receipt)
        return receipt

    def _put_requests(self) -> dict[str, ObjectRef]:
        """The one with the id comes last: where it stands, the other stands too."""
        objects, bucket = self.target.objects, self.target.names.archive_bucket
        whole = self.request.model_dump()
        newest = whole["pseudonyms"][-1:]
        nobody: dict[str, Any] = {"user_id": None, "user_token": None, "said_as": []}
        without_id = {**whole, **nobody, "pseudonyms": newest}
        refs = {}
        for name, key_of, document in (
            ("pseudonym", pseudonym_erasure_key, without_id),
            ("user", erasure_request_key, whole),
        ):
            check_document("ErasureRequest", document)
            key = key_of(self.request.erasure_id)
            refs[name] = objects.put_json(bucket, key, document)
        return refs

    def _commands(
        self, refs: dict[str, ObjectRef], kept: Objects, moved: Objects
    ) -> list[tuple[str, BaseModel]]:
        """Each command with its owner; every run names its commands anew."""
        names, by = self.target.names, self.request.requested_by
        run = f"{self.request.erasure_id}-{secrets.token_hex(4)}"
        whole = {"request": refs["user"], "requested_by": by}
        commands: list[tuple[str, BaseModel]] = [
            (
                "transformer",
                EraseFromFacts(request_id=run, request=refs["pseudonym"], requested_by=by),
            )
        ]
        for number, objects in enumerate(erasure.portions(list(kept))):
            where = {"request_id": f"{run}-{number}", "bucket": names.data_bucket}
            command = EraseFromQuarantine(objects=objects, **where, **whole)
            commands.append(("validator", command))
        for number, objects in enumerate(erasure.portions(list(moved))):
            where = {"request_id": f"{run}-{number}", "bucket": names.archive_bucket}
            commands.append(("archiver", EraseFromArchive(objects=objects, **where, **whole)))
        return commands

    def _have_done(
        self, commands: Sequence[tuple[str, BaseModel]], *, quietly: bool
    ) -> dict[str, list[Message]]:
        """Send all, and give what each service said; raises CommandFailed unless all is done."""
        settings, target = CliSettings(), self.target
        streams = {}
        for service, command in commands:
            message = _message(service, command)
            streams[message.stream_id] = service
            url = target.names.get(service, "command-queue-url")
            target.client("sqs").send_message(QueueUrl=url, MessageBody=message.to_json())
        for service in WOKEN & set(streams.values()):
            start_worker(target.client("ecs"), target.names, service)

        def show(event: Message) -> None:
            if not quietly:
                print_beside(f"  {describe(event)}")

        with spinner("waiting for the services"):
            ended = erasure.wait_for_all(
                target.event_store,
                list(streams),
                show,
                poll_seconds=settings.poll_seconds,
                wait_seconds=settings.wait_seconds,
            )
        refused = [e.data.reason for e in ended.values() if e.event_type == "UpkeepRefused"]
        late = sorted({service for stream, service in streams.items() if stream not in ended})
        if refused or late:
            raise CommandFailed(_unfinished(refused, late, settings.wait_seconds))
        said: dict[str, list[Message]] = {service: [] for service in STREAMS}
        for stream, event in ended.items():
            said[streams[stream]].append(event)
        return said

    def _must_be_gone(self, kept_before: Objects, moved_before: Objects) -> None:
        """Raise CommandFailed when a batch that ran meanwhile has left something of the user."""
        before = {(each.key, each.version_id) for each in (*kept_before, *moved_before)}
        kept, moved = (
            [each for each in objects if (each.key, each.version_id) not in before]
            for objects in self._objects()
        )
        new = self._search(kept, moved)
        s3, bucket = self.target.client("s3"), self.target.names.data_bucket
        sent = self._as_read(erasure.uploads(s3, bucket))
        came = erasure.search(sent, s3, bucket, self._wanted, system_clock)
        if left := [version.key for part in (*new, came) for version in part.holding]:
            raise CommandFailed(
                f"the erasure is not finished; the same command finishes it: {left[0]} "
                f"({len(left)} in all) came meanwhile and holds the user"
            )

    def _receipt(self, uploads: erasure.Uploads, ended: dict[str, list[Message]]) -> ErasureReceipt:
        kept, moved = ([e.data for e in ended[name]] for name in ("validator", "archiver"))
        [facts] = ended["transformer"]
        counted = {name: getattr(facts.data, name) for name in ErasedFacts.model_fields}
        return erasure.receipt_of(
            self.request,
            self._digest,
            to_rfc3339(system_clock()),
            [
                uploads.erased(),
                erasure.place_of("quarantine", kept),
                erasure.place_of("archive", moved),
            ],
            ErasedFacts(**counted),
            [*uploads.unsearched, *(each for part in (*kept, *moved) for each in part.unsearched)],
        )

    def _close(self, receipt: ErasureReceipt) -> None:
        """The receipt first: what is cut short here is finished by asking again."""
        bucket, document = self.target.names.archive_bucket, receipt.model_dump()
        check_document("ErasureReceipt", document)
        self.target.objects.put_json(bucket, erasure_receipt_key(receipt.erasure_id), document)
        prefix = f"{OPEN_ERASURES_PREFIX}{receipt.erasure_id}/"
        every = erasure.versions_under(self.target.client("s3"), bucket, prefix)
        self._delete(bucket, list(every))

    def _delete(self, bucket: str, versions: Sequence[ObjectVersion]) -> None:
        store = S3Versions(self.target.client("s3"), bucket)
        for version in versions:
            store.delete(version)


def _message(service: str, command: Any) -> Message:
    context = MessageContext(SOURCE, command.request_id)
    stream = f"{STREAMS[service]}/{command.request_id}"
    return unanswered_command(command, context, stream, new_event_id(), to_rfc3339(system_clock()))


def _unfinished(refused: Sequence[str], late: Sequence[str], waited_seconds: float) -> str:
    said = [*refused]
    said += [
        f"the {service} has not ended within {waited_seconds:g} s: "
        f"`ecp dlq show {service}-commands-dlq` says if it could not be done"
        for service in late
    ]
    return "the erasure is not finished; the same command finishes it: " + "\n".join(said)
