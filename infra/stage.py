"""The stage of a deployment: what comes before every name, so that several fit in one account.

The one place that says how. Templates have it as their parameter `StagePrefix`; the deployer gives
it, and `ecp` reads names of the stage that `STAGE` names. Without one, names are the plain ones.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import UnknownName

VARIABLE = "STAGE"
PARAMETER = "StagePrefix"
IN_TEMPLATES = f"${{{PARAMETER}}}"
LONGEST = 6
"""Bucket names end in account and region, and S3 takes 63 characters."""
_NAME = re.compile(rf"[a-z][a-z0-9]{{0,{LONGEST - 1}}}")
_RESERVED_BY_AWS = ("aws", "ssm")
"""No SSM parameter may begin so (PutParameter, AWS API reference)."""
FIRST_WORDS = frozenset(
    {
        *("aggregator", "api", "archiver", "batch", "ecommerce", "event", "file", "guard"),
        *("lineage", "lock", "open", "processing", "quarantine", "saga", "transformer"),
        *("validation", "validator", "transformation", "github", "stacks"),
    }
)
"""With one of these before them, names of a stage would look like names without one."""


@dataclass(frozen=True)
class Stage:
    """`name`: empty for the one whose names have nothing before them."""

    name: str = ""

    @property
    def prefix(self) -> str:
        """What every name begins with."""
        return f"{self.name}-" if self.name else ""

    def named(self, name: str) -> str:
        """The name that something has in this stage, by its name without one."""
        return self.prefix + name

    def plain(self, name: str) -> str:
        """The other way round."""
        return name.removeprefix(self.prefix)

    def path(self, parameter: str) -> str:
        """The same of an SSM parameter, which begins with a slash."""
        return f"/{self.prefix}{parameter.removeprefix('/')}"

    def database(self, name: str) -> str:
        """The same of a database, whose names know no dash (Athena, Spark)."""
        return self.prefix.replace("-", "_") + name

    def in_text(self, text: str) -> str:
        """A text of a template with the prefix put in."""
        return text.replace(IN_TEMPLATES, self.prefix)


WITHOUT = Stage()


def stage_named(name: str) -> Stage:
    """Raises UnknownName, saying what to write, when a name cannot be one of a stage."""
    if not name:
        return WITHOUT
    if not _NAME.fullmatch(name):
        raise UnknownName(
            f"{VARIABLE}={name!r}: write up to {LONGEST} lower-case letters and digits, a letter "
            "first, such as dev"
        )
    if name.startswith(_RESERVED_BY_AWS) or name in FIRST_WORDS:
        raise UnknownName(
            f"{VARIABLE}={name}: names that begin so are taken, by AWS or by this pipeline; "
            "choose another, such as dev"
        )
    return Stage(name)


def stage_of(environment: Mapping[str, str]) -> Stage:
    """The stage that an environment names; raises as `stage_named` does."""
    return stage_named(environment.get(VARIABLE, ""))


def current_stage() -> Stage:
    """That of this process's environment."""
    return stage_of(os.environ)
