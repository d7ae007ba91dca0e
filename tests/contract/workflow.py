"""Which jobs of a GitHub workflow run, decided from its YAML as GitHub documents it.

Enough of the expression language for this project: literals, `==`, `!=`, `!`, `&&`, `||`, brackets,
contexts, fromJSON, and the four status functions. A condition without a status function also asks
that all jobs before it succeeded (`success()`); a job that is not run is `skipped`, and its outputs
are empty. What the steps of a job do is played by workflow_runs.py.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

STATUS_FUNCTIONS = ("always", "cancelled", "failure", "success")
REPOSITORY = "shop/pipeline"
VARIABLES = {
    f"AWS_{name}_ROLE": f"arn:aws:iam::123456789012:role/{name.lower()}"
    for name in ("PLAN", "BUILD", "DEPLOY")
}
_EXPRESSION = re.compile(r"\$\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*(==|!=|&&|\|\||[!()]|'(?:[^']|'')*'|[A-Za-z_][\w.-]*|\d+)")


@dataclass(frozen=True)
class Trigger:
    """What started the workflow, and whether somebody cancels it while it runs.

    `sha`: the commit that is checked out. `before`: where a branch was before a push.
    `head_repository`: where a pull request comes from. `variables`: settings of the repository.
    """

    event: str
    ref: str
    cancelled: bool = False
    sha: str = "0" * 40
    before: str = ""
    head_repository: str = REPOSITORY
    variables: Mapping[str, str] = field(default_factory=lambda: VARIABLES)


@dataclass(frozen=True)
class Ending:
    """How a job ends if it runs: its result, and the outputs that it leaves if it succeeds."""

    result: str = "success"
    outputs: Mapping[str, str] = field(default_factory=dict)


def load(path: Path) -> dict[str, Any]:
    """The jobs of a workflow, by name."""
    workflow: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    jobs: dict[str, Any] = workflow["jobs"]
    return jobs


def run(
    jobs: Mapping[str, Any], trigger: Trigger, endings: Mapping[str, Ending]
) -> dict[str, Ending]:
    """How every job ended; one that was not run ended as `skipped`. Jobs are in order of need."""
    ended: dict[str, Ending] = {}
    for name, job in jobs.items():
        ending = endings.get(name, Ending())
        if not decide(job.get("if", "success()"), context_of(jobs, name, trigger, ended)):
            ending = Ending("skipped")
        succeeded = ending.result == "success"
        ended[name] = ending if succeeded else Ending(ending.result)
    return ended


def decide(condition: str, context: Mapping[str, Any]) -> bool:
    """Whether a job runs; raises ValueError for what this evaluator does not know."""
    text = condition.strip().removeprefix("${{").removesuffix("}}")
    asks = any(token in STATUS_FUNCTIONS for token in _tokens(text))
    return bool(evaluate(text, context)) and (asks or bool(context["success"]()))


def evaluate(text: str, context: Mapping[str, Any]) -> Any:
    """The value of one expression; raises ValueError for what this evaluator does not know."""
    reader = _Reader(_tokens(text), context)
    value = reader.either()
    if reader.rest():
        raise ValueError(f"{text!r}: cannot read {reader.rest()}")
    return value


def filled(value: Any, context: Mapping[str, Any]) -> Any:
    """A value of the YAML with each `${{ }}` in it replaced by what it gives."""
    if not isinstance(value, str):
        return value
    if whole := _EXPRESSION.fullmatch(value.strip()):
        return evaluate(whole[1], context)
    return _EXPRESSION.sub(lambda found: str(evaluate(found[1], context)), value)


def needed(jobs: Mapping[str, Any], name: str) -> list[str]:
    """The jobs that one names under `needs`."""
    needs = jobs[name].get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def context_of(
    jobs: Mapping[str, Any], name: str, trigger: Trigger, ended: Mapping[str, Ending]
) -> dict[str, Any]:
    """What the expressions of a job may ask, when the jobs that it needs have ended."""
    before = [ended[one].result for one in _ancestors(jobs, name)]
    return {
        "github": {
            "event_name": trigger.event,
            "ref": trigger.ref,
            "sha": trigger.sha,
            "repository": REPOSITORY,
            "server_url": "https://github.com",
            "run_id": "1",
            "event": {
                "before": trigger.before,
                "pull_request": {"head": {"repo": {"full_name": trigger.head_repository}}},
            },
        },
        "vars": trigger.variables,
        "secrets": trigger.variables,
        "inputs": {},
        "needs": {
            one: {"result": ended[one].result, "outputs": dict(ended[one].outputs)}
            for one in needed(jobs, name)
        },
        "always": lambda: True,
        "cancelled": lambda: trigger.cancelled,
        "failure": lambda: "failure" in before,
        "success": lambda: set(before) <= {"success"} and not trigger.cancelled,
    }


def _ancestors(jobs: Mapping[str, Any], name: str) -> set[str]:
    direct = needed(jobs, name)
    return set(direct).union(*(_ancestors(jobs, one) for one in direct))


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text!r}: cannot read {text[at:]!r}")
        tokens.append(found.group(1))
        at = found.end()
    return tokens


class _Reader:
    """A reader of one expression, by recursive descent: `||` binds least, `!` most."""

    def __init__(self, tokens: list[str], context: Mapping[str, Any]) -> None:
        self._tokens, self._context = list(tokens), context

    def rest(self) -> list[str]:
        return self._tokens

    def either(self) -> Any:
        return self._joined("||", self._both, lambda left, right: left or right)

    def _both(self) -> Any:
        return self._joined("&&", self._compared, lambda left, right: left and right)

    def _joined(
        self, operator: str, part: Callable[[], Any], join: Callable[[Any, Any], Any]
    ) -> Any:
        value = part()
        while self._tokens[:1] == [operator]:
            self._tokens.pop(0)
            value = join(value, part())
        return value

    def _compared(self) -> Any:
        left = self._one()
        if self._tokens[:1] in (["=="], ["!="]):
            operator = self._tokens.pop(0)
            same = _loose(left) == _loose(self._one())
            return same if operator == "==" else not same
        return left

    def _one(self) -> Any:
        token = self._tokens.pop(0)
        if token == "!":
            return not self._one()
        if token == "(":
            value = self.either()
            self._expect(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token in STATUS_FUNCTIONS:
            self._expect("(")
            self._expect(")")
            return self._context[token]()
        if token == "fromJSON":
            self._expect("(")
            value = json.loads(self.either())
            self._expect(")")
            return value
        return self._looked_up(token)

    def _looked_up(self, path: str) -> Any:
        root, *names = path.split(".")
        if root not in self._context:
            raise ValueError(f"{path}: this evaluator does not know {root}")
        value = self._context[root]
        for name in names:
            value = value.get(name, "") if isinstance(value, Mapping) else ""
        return value

    def _expect(self, token: str) -> None:
        if self._tokens[:1] != [token]:
            raise ValueError(f"{token} is missing before {self._tokens}")
        self._tokens.pop(0)


def _loose(value: Any) -> Any:
    """GitHub compares text without regard to case."""
    return value.lower() if isinstance(value, str) else value
