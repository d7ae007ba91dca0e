"""Which files of a checkout differ from a git revision: committed, not yet, and new ones."""

import subprocess
from pathlib import Path

from infra.errors import UnknownName


def files_changed_since(project: Path, revision: str) -> list[str]:
    """Paths relative to the project; raises UnknownName when git does not know the revision."""
    options = ("--name-only", "--relative", "--no-renames", "--end-of-options")
    changed = _git(project, "diff", *options, revision, "--")
    fresh = _git(project, "ls-files", "--others", "--exclude-standard")
    return sorted({*changed, *fresh})


def _git(project: Path, *arguments: str) -> list[str]:
    finished = subprocess.run(
        ["git", "-C", str(project), "-c", "core.quotePath=off", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        said = (finished.stderr.strip().splitlines() or ["git says nothing"])[0]
        raise UnknownName(f"git cannot compare {project} with that revision: {said}")
    return finished.stdout.splitlines()
