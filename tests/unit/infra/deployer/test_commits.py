"""A deployment that must not go back: which of two commits was made on top of the other."""

import subprocess
from pathlib import Path

import pytest

from infra.deployer.commits import is_older
from infra.deployer.planning import reject_older
from infra.deployer.releases import Release, ReleaseBook, Releases
from infra.errors import DeploymentFailed
from tests.unit.infra.deployer.test_deploy import Account, three_stacks


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three stacks in two commits, of which the first is checked out."""
    three_stacks(tmp_path)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    for _ in "ab":
        git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "c")
    git(tmp_path, "checkout", "--quiet", "HEAD^")
    return tmp_path


def commit(project: Path, name: str) -> str:
    return git(project, "rev-parse", "--short=12", name)


def test_only_a_commit_on_top_of_the_one_that_is_checked_out_is_newer(project: Path) -> None:
    assert is_older(project, commit(project, "main"))
    assert is_older(project, commit(project, "main") + "+changes")
    assert not is_older(project, commit(project, "HEAD"))
    assert not is_older(project, commit(project, "HEAD") + "+changes")
    assert not is_older(project, "0123456789ab"), "git does not know it"
    git(project, "commit", "--quiet", "--allow-empty", "-m", "beside")
    assert not is_older(project, commit(project, "main")), "on another branch"


def test_a_stack_that_runs_a_newer_commit_is_not_replaced(project: Path) -> None:
    account = Account()
    release = Release("v", "", "t", "1", {}, commit(project, "main"), "now", "ci")
    ReleaseBook(account.bucket).write("lock", Releases(release))
    with pytest.raises(DeploymentFailed, match=r"lock runs commit \w+, which is newer .* Nothing"):
        reject_older(account.environment(), None, project=project)
    with pytest.raises(DeploymentFailed):
        reject_older(account.environment(), ["lock"], project=project)
    reject_older(account.environment(), ["platform", "saga"], project=project)
    git(project, "checkout", "--quiet", "main")
    reject_older(account.environment(), None, project=project)
