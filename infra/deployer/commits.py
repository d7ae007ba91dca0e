"""What git says of a checkout: its revision, and which files differ from another."""

import subprocess
from pathlib import Path

from infra.errors import UnknownName

_CHANGES = "+changes"


def files_changed_since(project: Path, revision: str) -> list[str]:
    """Paths relative to the project; raises UnknownName when git does not know the revision."""
    options = ("--name-only", "--relative", "--no-renames", "--end-of-options")
    changed = _lines(project, "diff", *options, revision, "--")
    fresh = _lines(project, "ls-files", "--others", "--exclude-standard")
    return sorted({*changed, *fresh})


def git_revision(project: Path) -> str | None:
    """The commit of a checkout, with `+changes` when files differ from it; None outside of one."""
    try:
        top = _git(project, "rev-parse", "--show-toplevel").stdout.strip()
        if not top or Path(top).resolve() != project.resolve():
            return None
        commit = _git(project, "rev-parse", "--short=12", "HEAD")
        changes = _git(project, "status", "--porcelain").stdout.strip()
    except FileNotFoundError:  # there is no git here
        return None
    if commit.returncode:
        return None
    return commit.stdout.strip() + (_CHANGES if changes else "")


def is_older(project: Path, revision: str) -> bool:
    """Whether a revision was made on top of the commit that is checked out.

    A revision that git does not know was made elsewhere: it is not said to be newer.
    """
    commit = revision.removesuffix(_CHANGES)
    if _git(project, "merge-base", "--is-ancestor", "HEAD", commit).returncode:
        return False
    return bool(_lines(project, "rev-list", "-1", f"HEAD..{commit}"))


def _lines(project: Path, *arguments: str) -> list[str]:
    finished = _git(project, *arguments)
    if finished.returncode:
        said = (finished.stderr.strip().splitlines() or ["git says nothing"])[0]
        raise UnknownName(f"git cannot compare {project} with that revision: {said}")
    return finished.stdout.splitlines()


def _git(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "-C", str(project), "-c", "core.quotePath=off", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
