"""One stack from what is wanted to what is proven: change set, check, record, or back again."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from contracts.clock import to_rfc3339
from infra.deployer.commits import git_revision
from infra.deployer.first_values import first_values
from infra.deployer.package import project_version, sources_digest
from infra.deployer.packing import ArtifactBucket, code_of, code_parameters, given_parameters
from infra.deployer.parameters import parameter_if_any
from infra.deployer.proof import Proof
from infra.deployer.releases import (
    Release,
    ReleaseBook,
    Releases,
    template_key,
    version_of,
)
from infra.deployer.spark_job import CODE, spark_job_parameters
from infra.deployer.stacks import (
    ChangeSet,
    Outcome,
    Progress,
    StackDeployer,
    StackResult,
    endangered,
)
from infra.deployer.templates import STACKS_ROLE, StackTemplate, read_template
from infra.deployer.waiting import Waiting
from infra.environments import Environment
from infra.errors import CheckFailed, DeploymentFailed, RolledBack

Ask = Callable[[ChangeSet], bool]


@dataclass(frozen=True)
class Policy:
    """How carefully to deploy.

    `proves`: check each new version, and put the one before back when it does not work.
    `watch_seconds`: how long its alarms are watched; None: as long as the place says.
    `ask`: asked before each change set is executed. `may_replace`: whether a change may lose what
    holds data. `deployed_by`: whom the record names. `in_role`: CloudFormation changes stacks in
    the role that bootstrap made for that, where it made one.
    """

    proves: bool = False
    watch_seconds: float | None = None
    ask: Ask | None = None
    may_replace: bool = False
    deployed_by: str = "ecp"
    in_role: bool = True


@dataclass(frozen=True)
class _Target:
    """What a stack shall become."""

    template: StackTemplate
    parameters: Mapping[str, str]
    sources: str
    revision: str | None
    project_version: str | None

    @property
    def version(self) -> str:
        return version_of(code_of(self.parameters), self.template.body)


class Deployment:
    """What every stack of one deployment shares."""

    def __init__(
        self, environment: Environment, project: Path, policy: Policy, on_progress: Progress
    ) -> None:
        self._environment, self._project, self._policy = environment, project, policy
        self._say = on_progress
        self._waiting = Waiting(environment.poll_seconds)
        self._bucket = ArtifactBucket(
            environment.client("s3"), environment.client("ssm"), environment.stage
        )
        self._book = ReleaseBook(environment.client("ssm"), environment.stage)
        self._stacks = StackDeployer(
            environment.client("cloudformation"),
            self._waiting,
            partial(first_values, environment),
            parameter_if_any(environment.client("ssm"), environment.stage.path(STACKS_ROLE))
            if policy.in_role
            else None,
        )
        self._proof = Proof(environment, self._stacks, self._waiting)
        self._revision = git_revision(project)
        self._project_version = project_version(project)
        self._stands: dict[str, str] = {}

    def interrupt(self) -> None:
        """End all waiting at once."""
        self._waiting.interrupt()

    def where_it_stands(self) -> str:
        """For a person who pressed Ctrl-C: what was under way, stack by stack."""
        if not self._stands:
            return "interrupted; nothing was under way, deploy again when you like"
        stacks = "; ".join(f"{name} {stands}" for name, stands in sorted(self._stands.items()))
        return f"interrupted: {stacks}; deploy again to finish"

    def apply(self, template: StackTemplate) -> StackResult:
        """Deploy the checkout's version of a stack."""
        self._stands[template.name] = "is being built, nothing is changed"
        parameters = given_parameters(self._environment, template)
        parameters |= code_parameters(
            template, self._project, self._environment, self._bucket, self._project_version
        )
        if CODE in template.parameters:
            chosen = {**template.defaults, **self._stacks.parameters(template), **parameters}
            parameters |= spark_job_parameters(
                template, self._project, self._environment, self._bucket, chosen
            )
        sources = sources_digest(template, self._project)
        return self._bring(
            _Target(template, parameters, sources, self._revision, self._project_version)
        )

    def apply_previous(self, template: StackTemplate) -> StackResult:
        """Deploy the version before the current one again."""
        previous = self._book.read(template.name).previous
        if previous is None:
            raise DeploymentFailed(
                f"no version before the current one of {template.name} is recorded; "
                "`ecp deploy --versions` shows what is"
            )
        return self._bring(self._target_of(previous, template))

    def _bring(self, target: _Target) -> StackResult:
        """Bring a stack to its target, prove it, record it."""
        name, began = target.template.name, time.monotonic()
        if not target.template.keeps_artifacts:
            self._bucket.check()
        known = self._book.read(name)
        result = self._change(target, began)
        is_known = known.current is not None and known.current.version == target.version
        if result.outcome != "LEFT" and not (result.outcome == "UNCHANGED" and is_known):
            if self._policy.proves:
                self._prove(target, known)
            self._record(target, known)
        del self._stands[name]
        self._say(f"{name}: {result.outcome.lower()} in {result.seconds:.1f} s")
        return result

    def _change(self, target: _Target, began: float) -> StackResult:
        template = target.template
        self._stands[template.name] = "waits for its change set, nothing is changed"
        change_set = self._stacks.prepare(template, target.parameters, self._say)

        def result(outcome: Outcome) -> StackResult:
            changes = change_set.changes if change_set else ()
            seconds = time.monotonic() - began
            return StackResult(template.name, template.stack_name, outcome, changes, seconds)

        if change_set is None:
            return result("UNCHANGED")
        try:
            self._refuse_losses(change_set)
            if self._policy.ask and not self._policy.ask(change_set):
                self._stacks.discard(change_set)
                return result("LEFT")
        except BaseException:
            self._stacks.discard(change_set)
            raise
        count = len(change_set.changes)
        self._say(f"{template.name}: {count} change{'s' if count != 1 else ''}")
        self._stands[template.name] = "is being changed, and CloudFormation goes on with it"
        if self._policy.proves:
            self._proof.look_at_alarms(template)
        self._stacks.execute(change_set)
        return result("CREATED" if change_set.creates else "UPDATED")

    def _refuse_losses(self, change_set: ChangeSet) -> None:
        lost = endangered(change_set)
        if lost and not self._policy.may_replace:
            named = ", ".join(
                f"{one.logical_id} ({one.resource_type}, "
                f"{'removed' if one.action == 'Remove' else 'replaced'})"
                for one in lost
            )
            raise DeploymentFailed(
                f"stack {change_set.template.name} would lose what holds data: {named}; nothing is "
                "changed. Save what is in it, then say --allow-replacement"
            )

    def _prove(self, target: _Target, known: Releases) -> None:
        name = target.template.name
        self._stands[name] = "is changed, and its new version not yet proven"

        def say(line: str) -> None:
            self._say(f"{name}: {line}")

        seconds = self._policy.watch_seconds
        if seconds is None:
            seconds = self._environment.watch_seconds
        try:
            self._proof.check(target.template, target.parameters, say)
            self._proof.watch_alarms(target.template, seconds, say)
        except CheckFailed as failure:
            self._put_back(target, known, failure)

    def _put_back(self, target: _Target, known: Releases, failure: CheckFailed) -> None:
        """Deploy the last version that worked; always raises."""
        name = target.template.name
        what, *evidence = str(failure).splitlines()
        bad = f"{name} {target.version} does not work: {what}"
        last = known.current
        if last is None or last.version == target.version:
            raise DeploymentFailed(
                "\n".join([f"{bad}; no version that worked is known, so it stays", *evidence])
            ) from failure
        self._say(f"{name}: {what}; going back to {last.version}")
        self._stands[name] = f"is going back to {last.version}"
        good = self._target_of(last, target.template)
        try:
            change_set = self._stacks.prepare(good.template, good.parameters, self._say)
            if change_set:
                self._stacks.execute(change_set)
            self._proof.check(good.template, good.parameters, lambda _: None)
        except DeploymentFailed as second:
            raise DeploymentFailed(
                "\n".join([f"{bad}; going back to {last.version} failed too: {second}", *evidence])
            ) from failure
        raise RolledBack(
            "\n".join([f"{bad}; rolled back to {last.version}, which works", *evidence])
        ) from failure

    def _target_of(self, release: Release, like: StackTemplate) -> _Target:
        body = self._bucket.text(release.template)
        template = read_template(like.name, like.path, body, like.service, like.stage)
        return _Target(
            template,
            release.parameters,
            release.sources,
            release.revision,
            release.project_version,
        )

    def _record(self, target: _Target, known: Releases) -> None:
        template = target.template
        key = template_key(template.name, template.body)
        self._bucket.keep(key, template.body.encode())
        values = {**self._stacks.parameters(template), **target.parameters}
        release = Release(
            version=target.version,
            code=code_of(target.parameters),
            template=key,
            sources=target.sources,
            # A secret is in the stack alone: whoever goes back leaves it as it is there.
            parameters={name: values[name] for name in values.keys() - template.secrets},
            revision=target.revision,
            deployed_at=to_rfc3339(datetime.now(UTC)),
            deployed_by=self._policy.deployed_by,
            project_version=target.project_version,
        )
        self._book.write(template.name, known.followed_by(release))
