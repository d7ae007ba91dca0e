"""Whole runs of the delivery workflow, with its own scripts: what is deployed, and as whom."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from infra.environments import PROJECT
from tests.contract.workflow import Ending, Trigger
from tests.contract.workflow_runs import World, play
from tests.security.account import of_type

WORKFLOW = PROJECT / ".github/workflows/ci-cd.yml"
OF_OLD = Path(__file__).with_name("workflow_of_old.yml")
MAIN, PULL_REQUEST = "refs/heads/main", "refs/pull/7/merge"
STACKS = {"platform": "p1", "lock": "l1", "validator": "v1"}


def trusts(role: str, subject: str) -> bool:
    """Whether the role of the bootstrap stack does."""
    name = f"{role.rpartition('/')[2].capitalize()}Role"
    [declared] = [one for one in of_type("AWS::IAM::Role") if one.logical_id == name]
    [statement] = declared.properties["AssumeRolePolicyDocument"]["Statement"]
    subjects = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    return subject in subjects


def results(ended: Mapping[str, Ending]) -> dict[str, str]:
    return {name: ending.result for name, ending in ended.items()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An account that nothing was deployed to."""
    return World(tmp_path)


def push(sha: str, before: str = "") -> Trigger:
    return Trigger("push", MAIN, sha=sha, before=before)


@pytest.fixture(scope="module")
def first_deployment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    world = World(tmp_path_factory.mktemp("world"))
    sha = world.commit(**STACKS)
    assert results(play(WORKFLOW, world, push(sha), trusts=trusts))["deploy"] == "success"
    assert world.state["deployed"] == STACKS
    world.write(told=[])
    world.fail()
    return world.folder, sha


@pytest.fixture
def running(tmp_path: Path, first_deployment: tuple[Path, str]) -> World:
    """An account that one commit is deployed to."""
    folder, _ = first_deployment
    return World(shutil.copytree(folder, tmp_path / "world"))


def test_a_first_push_deploys_everything_and_nobody_is_told_before_there_is_a_topic(
    world: World,
) -> None:
    world.write(topic=False)
    ended = play(WORKFLOW, world, push(world.commit(**STACKS)), trusts=trusts)
    assert set(results(ended).values()) == {"success"}
    assert world.state["deployed"] == STACKS
    assert world.state["registry"] == {"validation/ecr": {"v1": "sha256:v1"}}
    assert world.state["told"] == []
    assert world.roles() == {"plan", "build", "deploy"}


def test_a_change_of_one_service_deploys_it_alone_and_says_so(running: World) -> None:
    sha = running.commit(lock="l2")
    ended = play(WORKFLOW, running, push(sha), trusts=trusts)
    assert results(ended)["build"] == "skipped"
    assert running.calls("ecp deploy lock") == ["ecp deploy lock --no-input --not-older"]
    [told] = running.state["told"]
    assert 'build skipped, deploy success of ["lock"]' in told


def test_a_change_of_docs_deploys_nothing(running: World) -> None:
    ended = results(play(WORKFLOW, running, push(running.commit()), trusts=trusts))
    assert (ended["plan"], ended["build"], ended["deploy"]) == ("success", "skipped", "skipped")


@pytest.mark.parametrize("stacks", [{"lock": "l2"}, {"validator": "v2"}, {}])
def test_a_pull_request_is_told_what_it_would_deploy_and_touches_nothing(
    running: World, stacks: dict[str, str]
) -> None:
    before, sha = running.state, running.commit(**stacks)
    ended = results(
        play(WORKFLOW, running, Trigger("pull_request", PULL_REQUEST, sha=sha), trusts=trusts)
    )
    assert {name for name, result in ended.items() if result == "skipped"} == {
        *("build", "deploy", "notify")
    }
    after = running.state
    assert {key: after[key] for key in ("deployed", "registry")} == {
        key: before[key] for key in ("deployed", "registry")
    }
    assert running.roles() == {"plan"}
    summary = (running.folder / "summary.md").read_text()
    assert all(f"| {name} | code |" in summary.splitlines()[-1] for name in stacks)


@pytest.mark.parametrize(
    "trigger",
    [
        Trigger("pull_request", PULL_REQUEST, head_repository="somebody/else"),
        Trigger("push", "refs/heads/topic"),
        Trigger("workflow_dispatch", "refs/heads/topic"),
        Trigger("push", MAIN, variables={}),
        Trigger("pull_request_target", MAIN),
        Trigger("schedule", MAIN),
    ],
    ids=["fork", "branch", "dispatch-of-a-branch", "no-roles", "pull-request-target", "schedule"],
)
def test_whoever_else_runs_it_is_tested_and_nobody_to_aws(world: World, trigger: Trigger) -> None:
    sha = world.commit(**STACKS)
    ended = results(play(WORKFLOW, world, replace(trigger, sha=sha), trusts=trusts))
    assert {name for name, result in ended.items() if result == "success"} == {"contracts", "test"}
    assert world.roles() == set()
    assert world.state["deployed"] == {}


def test_by_hand_what_is_not_deployed_yet_is(running: World) -> None:
    running.fail("stack lock")
    sha = running.commit(lock="l2", validator="v2")
    assert results(play(WORKFLOW, running, push(sha), trusts=trusts))["deploy"] == "failure"
    running.fail()
    by_hand = Trigger("workflow_dispatch", MAIN, sha=sha)
    assert results(play(WORKFLOW, running, by_hand, trusts=trusts))["deploy"] == "success"
    assert running.state["deployed"] == STACKS | {"lock": "l2", "validator": "v2"}


@pytest.mark.parametrize(
    "failing", ["ecp contracts", "ecp suite", "ecp deploy --plan", "aws ecr", "docker"]
)
def test_after_a_failure_nothing_is_deployed_and_the_next_push_makes_up_for_it(
    running: World, failing: str
) -> None:
    running.fail(failing)
    ended = results(play(WORKFLOW, running, push(running.commit(validator="v2")), trusts=trusts))
    assert "failure" in ended.values()
    assert ended["deploy"] == "skipped"
    assert running.state["deployed"] == STACKS
    running.fail()
    ended = results(play(WORKFLOW, running, push(running.commit()), trusts=trusts))
    assert ended["deploy"] == "success"
    assert running.state["deployed"] == STACKS | {"validator": "v2"}


@pytest.mark.parametrize("job", ["contracts", "test", "plan", "build", "deploy"])
def test_a_run_that_is_cancelled_deploys_nothing_more(running: World, job: str) -> None:
    sha = running.commit(validator="v2")
    ended = results(play(WORKFLOW, running, push(sha), trusts=trusts, cancelled_in=job))
    assert ended[job] == "cancelled"
    assert ended["notify"] == "success"
    assert running.state["deployed"] == STACKS


def test_the_third_push_brings_what_the_second_would_have(running: World) -> None:
    """GitHub keeps one run waiting behind the one that runs; a newer one takes its place."""
    first = running.commit(platform="p2")
    second = running.commit(lock="l2")
    third = running.commit(validator="v2")
    play(WORKFLOW, running, push(first), trusts=trusts)
    play(WORKFLOW, running, push(third, second), trusts=trusts)
    assert running.state["deployed"] == {"platform": "p2", "lock": "l2", "validator": "v2"}


def test_a_commit_can_be_run_again_and_its_image_is_not_built_twice(running: World) -> None:
    sha = running.commit(lock="l2", validator="v2")
    running.fail("stack validator")
    assert results(play(WORKFLOW, running, push(sha), trusts=trusts))["deploy"] == "failure"
    running.fail()
    ended = results(play(WORKFLOW, running, push(sha), trusts=trusts))
    assert (ended["build"], ended["deploy"]) == ("success", "success")
    assert running.calls("docker") == []
    assert running.state["deployed"] == STACKS | {"lock": "l2", "validator": "v2"}


def test_a_deploy_of_old_that_is_run_again_does_not_replace_a_newer_one(running: World) -> None:
    running.fail("stack lock")
    old = running.commit(lock="l2")
    first_attempt = play(WORKFLOW, running, push(old), trusts=trusts)
    running.fail()
    play(WORKFLOW, running, push(running.commit(lock="l3")), trusts=trusts)
    again = play(WORKFLOW, running, push(old), trusts=trusts, kept=first_attempt)
    assert results(again)["deploy"] == "failure"
    assert running.state["deployed"]["lock"] == "l3"


def test_whoever_cannot_be_told_is_an_error_when_there_is_a_topic(running: World) -> None:
    for failing in ("aws ssm", "aws sns"):
        running.fail(failing)
        ended = results(play(WORKFLOW, running, push(running.commit()), trusts=trusts))
        assert ended["notify"] == "failure"


def test_a_job_gets_a_role_only_where_the_role_trusts_it(world: World) -> None:
    """Were its conditions wrong, a pull request would still be nobody to the deploying roles."""
    document = yaml.safe_load(WORKFLOW.read_text())
    for name in ("build", "deploy"):
        document["jobs"][name]["if"] = "always()"
    del document["jobs"]["deploy"]["environment"]
    sha = world.commit(**STACKS)
    ended = results(
        play(document, world, Trigger("pull_request", PULL_REQUEST, sha=sha), trusts=trusts)
    )
    assert (ended["build"], ended["deploy"]) == ("failure", "failure")
    assert world.roles() == {"plan"}


class TestOfOld:
    """What the evaluator would have said of the workflow as it was."""

    def test_a_pull_request_deployed_every_stack(self, world: World) -> None:
        sha = world.commit(platform="p", lock="l")
        trigger = Trigger("pull_request", PULL_REQUEST, sha=sha)
        ended = results(play(OF_OLD, world, trigger, trusts=trusts))
        assert (ended["plan"], ended["deploy"]) == ("skipped", "success")
        assert world.calls("ecp deploy") == ["ecp deploy --no-input"]
        assert world.state["deployed"] == {"platform": "p", "lock": "l"}

    def test_so_did_a_plan_that_failed(self, world: World) -> None:
        world.fail("ecp deploy --plan")
        sha = world.commit(platform="p", lock="l")
        ended = results(play(OF_OLD, world, push(sha), trusts=trusts))
        assert (ended["plan"], ended["deploy"]) == ("failure", "success")
        assert world.state["deployed"] == {"platform": "p", "lock": "l"}

    def test_a_third_push_lost_what_the_second_changed(self, world: World) -> None:
        first = world.commit(platform="p2", lock="l1")
        second, third = world.commit(lock="l2"), world.commit(platform="p3")
        play(OF_OLD, world, push(first), trusts=trusts)
        play(OF_OLD, world, push(third, second), trusts=trusts)
        assert world.state["deployed"]["lock"] == "l1"

    def test_a_commit_could_not_be_run_again(self, world: World) -> None:
        sha = world.commit(validator="v")
        for build in ("success", "failure"):
            assert results(play(OF_OLD, world, push(sha), trusts=trusts))["build"] == build
