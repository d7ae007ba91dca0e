"""Rotating the key of the pseudonyms: a key is added to the chain, and the facts follow it.

The order makes it harmless to be cut short: the new chain waits as AWSPENDING, so that a second run
takes the same key; then the facts and what they say of their generation change in one write; then
the validator gets the chain. In between, a batch is refused by the transformer, and a redrive after
the rotation stages its rows anew: none is published whose pseudonyms are not those of the facts.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from contracts.clock import new_event_id
from contracts.messages import FactsRekeyed, RekeyFacts
from infra.ecp.maintenance.between_batches import carried_out
from infra.ecp.privacy import erasure
from infra.ecp.requester import requester
from infra.ecp.settings import CliSettings
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed
from services.runtime.privacy.pseudonyms import check_of, keys_of, secret_of

CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
KEY_BYTES = 32
Keys = tuple[bytes, ...]


@dataclass(frozen=True)
class Chain:
    """One version of the secret."""

    version_id: str
    keys: Keys


@dataclass
class Rotating:
    """The key of the pseudonyms of one cloud."""

    target: Target

    def obstacles(self) -> list[str]:
        """A batch in work would be refused by the transformer and have to be redriven."""
        batches = erasure.open_batches(self.target.client("dynamodb"), self.target.objects)
        return erasure.in_work(batches)

    def plan(self) -> dict[str, Any]:
        """What a rotation would do; read with the rights of whoever asks."""
        from infra.ecp.kpis.facts import PublishedFacts, plan_rekeying

        current, pending = self._chain(CURRENT), self._pending()
        published = PublishedFacts(self.target.facts, self.target.client("dynamodb"))
        return {
            "dry_run": True,
            "obstacles": self.obstacles(),
            "generation": len(current.keys),
            "next_generation": len(current.keys) + 1,
            "unfinished": pending is not None,
            "facts": plan_rekeying(published),
        }

    def run(self, *, quietly: bool) -> FactsRekeyed:
        """All steps; raises CommandFailed when the transformer gave way, or is late."""
        current = self._chain(CURRENT)
        pending = self._pending() or self._add_key(current)
        self._hand_over(pending)
        done = self._rekey_facts(pending.keys, quietly=quietly)
        self._switch(current, pending)
        return done

    def _chain(self, stage: str) -> Chain:
        answer = self._secrets.get_secret_value(SecretId=self._secret_id, VersionStage=stage)
        return Chain(answer["VersionId"], keys_of(answer["SecretString"]))

    def _labelled(self, stage: str) -> Chain | None:
        try:
            return self._chain(stage)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise

    def _pending(self) -> Chain | None:
        """The chain of a rotation that was cut short: today's and one key more."""
        pending = self._labelled(PENDING)
        is_next = pending is not None and pending.keys[:-1] == self._chain(CURRENT).keys
        return pending if is_next else None

    def _add_key(self, current: Chain) -> Chain:
        """A label that a finished rotation left is taken away first: one version has it."""
        if (left := self._labelled(PENDING)) is not None:
            self._secrets.update_secret_version_stage(
                SecretId=self._secret_id, VersionStage=PENDING, RemoveFromVersionId=left.version_id
            )
        keys = (*current.keys, secrets.token_hex(KEY_BYTES).encode())
        answer = self._secrets.put_secret_value(
            SecretId=self._secret_id, SecretString=secret_of(keys), VersionStages=[PENDING]
        )
        return Chain(answer["VersionId"], keys)

    def _hand_over(self, pending: Chain) -> None:
        """The transformer is given the newest key alone, never the chain."""
        step = {"generation": len(pending.keys), "key": pending.keys[-1].decode()}
        name = self.target.names.get("transformer", "rotation-secret-id")
        self._secrets.put_secret_value(SecretId=name, SecretString=json.dumps(step))

    def _rekey_facts(self, keys: Keys, *, quietly: bool) -> FactsRekeyed:
        command = RekeyFacts(
            request_id=f"rotation-{new_event_id()}",
            generation=len(keys),
            check_before=check_of(keys[:-1]),
            check_after=check_of(keys),
            requested_by=requester(),
        )
        ended = carried_out(self.target, command, quietly=quietly)
        if ended is None or not isinstance(ended.data, FactsRekeyed):
            why = ended.data.reason if ended else f"no end within {CliSettings().wait_seconds:g} s"
            raise CommandFailed(
                f"the rotation is not finished; the same command finishes it: {why}"
            )
        return ended.data

    def _switch(self, current: Chain, pending: Chain) -> None:
        """From here on the validator stages with the new chain."""
        self._secrets.update_secret_version_stage(
            SecretId=self._secret_id,
            VersionStage=CURRENT,
            MoveToVersionId=pending.version_id,
            RemoveFromVersionId=current.version_id,
        )

    @property
    def _secrets(self) -> Any:
        return self.target.client("secretsmanager")

    @property
    def _secret_id(self) -> str:
        return self.target.names.get("validator", "pseudonym-secret-id")
