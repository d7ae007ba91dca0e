"""Whole runs of a workflow, job after job: scripts run for real in bash, on stand-ins of the tools.

A `run:` step is what GitHub makes of it: bash with the workflow's or the step's shell, its outputs
in GITHUB_OUTPUT. A `uses:` step is played by a few lines of Python here; one that nobody taught
this file is an error. `aws`, `docker`, `ecp` and `python` are tests/contract/stand_ins.py.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from tests.contract.workflow import REPOSITORY, Ending, Trigger, context_of, decide, filled

STAND_INS = Path(__file__).with_name("stand_ins.py")
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
"""As GitHub documents them: where no shell is named, a failure inside a pipe is passed over."""
VERSION = 'version = "1.2.3"\n'
SHIM = """#!/bin/sh
echo "$ROLE {tool} $*" >> "$WORLD/calls"
while read -r one; do
    case "{tool} $*" in "$one"*) echo "{tool}: broken on purpose" >&2; exit 3;; esac
done < "$WORLD/fails"
case "{tool} $1" in
    aws*|"ecp deploy") exec "{python}" -S "{program}" {tool} "$@";;
    docker*) echo '"sha256:base"';;
esac
"""
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


class StepFailed(Exception):
    """A step ended otherwise than well."""


class World:
    """A repository with commits, the AWS account that it deploys to, and what happened there.

    `state`: `deployed` and `deployed_by` (stack to sources and commit), `registry` (repository to
    tags), `topic` whether it is there, `told` the mails. It is a folder: a copy is another world.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.checkout = folder, folder / "checkout"
        self._file = folder / "world.json"
        if self._file.exists():
            return
        self.checkout.mkdir()
        for tool in ("aws", "docker", "ecp", "python"):
            shim = folder / "bin" / tool
            shim.parent.mkdir(exist_ok=True)
            shim.write_text(SHIM.format(tool=tool, python=sys.executable, program=STAND_INS))
            shim.chmod(0o755)
        self.fail()
        self.write(deployed={}, deployed_by={}, registry={}, topic=True, told=[])
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text()))

    def write(self, **changes: Any) -> None:
        before = self.state if self._file.exists() else {}
        self._file.write_text(json.dumps(before | changes))

    def fail(self, *commands: str) -> None:
        """From now on commands that begin so fail, and no others; calls are counted anew."""
        (self.folder / "fails").write_text("".join(f"{one}\n" for one in commands))
        (self.folder / "calls").write_text("")

    def commit(self, **stacks: str) -> str:
        """A commit in which these stacks have these sources; gives its name."""
        files = {f"stacks/{name}": sources for name, sources in stacks.items()}
        files |= {".ci/run": "ecp suite", ".python-version": "3.11", "pyproject.toml": VERSION}
        for name, text in files.items():
            (self.checkout / name).parent.mkdir(exist_ok=True)
            (self.checkout / name).write_text(text)
        self._git("add", ".")
        self._git("commit", "--quiet", "--allow-empty", "-m", "c")
        return self._git("rev-parse", "HEAD").strip()

    def calls(self, beginning: str) -> list[str]:
        """The calls of a tool that begin so."""
        return [call for _, call in self._calls() if call.startswith(beginning)]

    def roles(self) -> set[str]:
        """The roles in which anything was asked."""
        return {role for role, _ in self._calls() if role}

    def _calls(self) -> list[tuple[str, str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [(role, call) for role, _, call in (line.partition(" ") for line in lines)]

    def take(self, sha: str) -> None:
        """What actions/checkout leaves: one commit, and no file of another job."""
        self._git("checkout", "--quiet", "--force", sha)
        self._git("clean", "--quiet", "-fdx")

    def environment(self) -> dict[str, str]:
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        return {"PATH": path, "WORLD": str(self.folder), "HOME": str(self.folder)}

    def _git(self, *arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@t")
        command = ["git", "-C", str(self.checkout), *who, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class _Job:
    """One job that runs: what its steps can ask and leave behind."""

    name: str
    declared: Mapping[str, Any]
    trigger: Trigger
    world: World
    context: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Who a job is to AWS: the `sub` of its token, as GitHub documents it."""
        if "environment" in self.declared:
            return f"repo:{REPOSITORY}:environment:{self.declared['environment']}"
        if self.trigger.event == "pull_request":
            return f"repo:{REPOSITORY}:pull_request"
        return f"repo:{REPOSITORY}:ref:{self.trigger.ref}"


Trusts = Callable[[str, str], bool]
"""Whether a role (its ARN) trusts a subject."""


def play(
    workflow: Path | Mapping[str, Any],
    world: World,
    trigger: Trigger,
    *,
    trusts: Trusts,
    kept: Mapping[str, Ending] | None = None,
    cancelled_in: str | None = None,
) -> dict[str, Ending]:
    """How each job of one run ended.

    `kept`: jobs of an earlier attempt, as GitHub keeps those that succeeded where only failed ones
    are run again. `cancelled_in`: the job during which somebody cancels the run.
    """
    document = yaml.safe_load(workflow.read_text()) if isinstance(workflow, Path) else workflow
    jobs = document["jobs"]
    ended: dict[str, Ending] = {}
    for name, declared in jobs.items():
        if kept and name in kept and kept[name].result == "success":
            ended[name] = kept[name]
            continue
        context = context_of(jobs, name, trigger, ended)
        if not decide(str(declared.get("if", "success()")), context):
            ended[name] = Ending("skipped")
        elif name == cancelled_in:
            trigger = replace(trigger, cancelled=True)
            ended[name] = Ending("cancelled")
        else:
            ended[name] = _run_job(document, name, trigger, world, context, trusts)
    return ended


def _run_job(
    document: Mapping[str, Any],
    name: str,
    trigger: Trigger,
    world: World,
    context: dict[str, Any],
    trusts: Trusts,
) -> Ending:
    declared = document["jobs"][name]
    ending = Ending()
    for cell in _cells(declared, context):
        asked = context | {"matrix": cell, "env": {}, "steps": {}}
        asked |= {"success": lambda: True, "failure": lambda: False}
        job = _Job(name, declared, trigger, world, asked)
        for level in (document, declared):
            values = {key: filled(value, asked) for key, value in level.get("env", {}).items()}
            asked["env"] = asked["env"] | values
        try:
            for step in declared["steps"]:
                if decide(str(step.get("if", "success()")), asked):
                    outputs = _run_step(document, job, step, trusts)
                    asked["steps"][step.get("id", "")] = {"outputs": outputs}
        except StepFailed:
            ending = Ending("failure")
            continue
        if ending.result == "success":
            outputs = {key: filled(one, asked) for key, one in declared.get("outputs", {}).items()}
            ending = Ending("success", outputs)
    return ending


def _cells(declared: Mapping[str, Any], context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The values of a matrix, run by run; one run without values where there is no matrix."""
    matrix = declared.get("strategy", {}).get("matrix")
    if matrix is None:
        return [{}]
    [(name, expression)] = matrix.items()
    values = filled(expression, context)
    return values if name == "include" else [{name: value} for value in values]


def _run_step(
    document: Mapping[str, Any], job: _Job, step: Mapping[str, Any], trusts: Trusts
) -> dict[str, str]:
    given = {key: filled(value, job.context) for key, value in step.get("with", {}).items()}
    if "uses" in step:
        action = str(step["uses"]).partition("@")[0]
        if action == "aws-actions/configure-aws-credentials":
            return _sign_in(job, str(given["role-to-assume"]), trusts)
        return ACTIONS[action](job, given)
    world, output = job.world, job.world.folder / "output"
    output.write_text("")
    values = {key: filled(value, job.context) for key, value in step.get("env", {}).items()}
    shell = step.get("shell") or document.get("defaults", {}).get("run", {}).get("shell")
    ran = subprocess.run(
        [*SHELLS[shell], "-c", filled(step["run"], job.context)],
        cwd=world.checkout,
        env={
            **world.environment(),
            **{key: str(value) for key, value in {**job.context["env"], **values}.items()},
            **job.environment,
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(world.folder / "summary.md"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise StepFailed(ran.stderr)
    lines = (line.partition("=") for line in output.read_text().splitlines())
    return {key: value for key, _, value in lines}


def _sign_in(job: _Job, role: str, trusts: Trusts) -> dict[str, str]:
    may_ask = job.declared.get("permissions", {}).get("id-token") == "write"
    if not (role and may_ask and trusts(role, job.subject)):
        raise StepFailed(f"{job.subject} may not be {role or 'nobody'}")
    job.environment["ROLE"] = role.rpartition("/")[2]
    return {}


def _check_out(job: _Job, _: Mapping[str, Any]) -> dict[str, str]:
    job.world.take(job.trigger.sha)
    return {}


def _push_image(job: _Job, given: Mapping[str, Any]) -> dict[str, str]:
    """Build and push; a tag that is there is refused, as an immutable one is."""
    repository, _, tag = str(given["tags"]).removeprefix(f"{REGISTRY}/").rpartition(":")
    registry = job.world.state["registry"]
    is_signed_in = str(given["tags"]).startswith(f"{REGISTRY}/")
    if not (is_signed_in and tag) or tag in registry.setdefault(repository, {}):
        raise StepFailed(f"{given['tags']}: nobody signed in, or the tag is there, and immutable")
    service = str(given["file"]).split("/")[1]
    digest = f"sha256:{(job.world.checkout / 'stacks' / service).read_text()}"
    registry[repository][tag] = digest
    job.world.write(registry=registry)
    return {"digest": digest}


def _nothing(_: _Job, __: Mapping[str, Any]) -> dict[str, str]:
    return {}


ACTIONS: dict[str, Callable[[_Job, Mapping[str, Any]], dict[str, str]]] = {
    "actions/checkout": _check_out,
    "actions/setup-java": _nothing,
    "actions/setup-python": _nothing,
    "aws-actions/amazon-ecr-login": lambda _, __: {"registry": REGISTRY},
    "docker/build-push-action": _push_image,
    "docker/setup-buildx-action": _nothing,
}
