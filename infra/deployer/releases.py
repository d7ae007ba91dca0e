"""Which version of each stack runs, and which ran before: SSM parameters, one a stack.

A release can be deployed again without the checkout that made it: its code and its template are
kept in the artifact bucket.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from infra.deployer.parameters import parameter_if_any
from infra.stage import WITHOUT, Stage

VERSIONS = "/ecommerce-pipeline/versions/"


@dataclass(frozen=True)
class Release:
    """One deployed version of a stack.

    `code`: key of its artifact or URI of its image, empty for a stack without code. `template`: key
    of its template in the artifact bucket. `sources`: digest of what the code was built from.
    `parameters`: the values that the stack has. `revision`: of git, None outside a checkout.
    `deployed_at`: RFC 3339. `project_version`: of the checkout, None where it names none.
    """

    version: str
    code: str
    template: str
    sources: str
    parameters: Mapping[str, str]
    revision: str | None
    deployed_at: str
    deployed_by: str
    project_version: str | None = None


@dataclass(frozen=True)
class Releases:
    """What is recorded of one stack."""

    current: Release | None = None
    previous: Release | None = None

    def followed_by(self, release: Release) -> "Releases":
        """The record after `release`; the same version again keeps what was before it."""
        is_new = self.current is None or self.current.version != release.version
        return Releases(release, self.current if is_new else self.previous)


class ReleaseBook:
    """The record of all stacks, in SSM."""

    def __init__(self, ssm: Any, stage: Stage = WITHOUT) -> None:
        self._ssm, self._versions = ssm, stage.path(VERSIONS)

    def read(self, stack: str) -> Releases:
        """What is recorded of one stack; nothing is a record too."""
        recorded = parameter_if_any(self._ssm, self._versions + stack)
        return Releases() if recorded is None else _from_json(recorded)

    def write(self, stack: str, releases: Releases) -> None:
        """Replace the record of one stack."""
        # Line breaks keep closing braces apart: SSM takes {{...}} for a reference and refuses it.
        self._ssm.put_parameter(
            Name=self._versions + stack,
            Value=json.dumps(asdict(releases), indent=1),
            Type="String",
            Overwrite=True,
            Description="The version that runs, and the one before; written by `ecp deploy`",
        )


def version_of(code: str, template_body: str) -> str:
    """Twelve hexadecimal digits made of what a stack runs and how its template describes it."""
    return hashlib.sha256(f"{code}\n{template_body}".encode()).hexdigest()[:12]


def template_key(stack: str, template_body: str) -> str:
    """Where a template is kept in the artifact bucket."""
    return f"{stack}/{hashlib.sha256(template_body.encode()).hexdigest()}.template.yaml"


def _from_json(text: str) -> Releases:
    fields = json.loads(text)
    return Releases(
        *(Release(**fields[name]) if fields[name] else None for name in ("current", "previous"))
    )
