"""The delivery workflow: nothing that is not on main, planned and tested can reach production."""

import itertools
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.environments import PROJECT
from tests.contract.workflow import Ending, Trigger, decide, load, run

WORKFLOW = PROJECT / ".github/workflows/ci-cd.yml"
JOBS = load(WORKFLOW)
MAIN, PULL_REQUEST = "refs/heads/main", "refs/pull/7/merge"
RESULTS = ("success", "failure", "cancelled")
EVENTS = ("push", "pull_request", "pull_request_target", "workflow_dispatch", "schedule")
PLANS = (("", ""), ("[]", "[]"), ('["lock"]', "[]"), ('["lock","validator"]', '["validator"]'))


def a_plan(stacks: str, images: str, result: str = "success") -> Ending:
    return Ending(result, {"stacks": stacks, "images": images})


def ended(trigger: Trigger, **endings: Ending) -> dict[str, str]:
    return {name: ending.result for name, ending in run(JOBS, trigger, endings).items()}


def test_a_push_to_main_builds_and_deploys_what_its_plan_names() -> None:
    push = Trigger("push", MAIN)
    assert set(ended(push, plan=a_plan('["validator"]', '["validator"]')).values()) == {"success"}
    without_images = ended(push, plan=a_plan('["lock"]', "[]"))
    assert (without_images["build"], without_images["deploy"]) == ("skipped", "success")
    by_hand = Trigger("workflow_dispatch", MAIN)
    assert ended(by_hand, plan=a_plan('["lock"]', "[]"))["deploy"] == "success"


def test_a_change_of_docs_deploys_nothing() -> None:
    assert ended(Trigger("push", MAIN), plan=a_plan("[]", "[]"))["deploy"] == "skipped"


def test_a_pull_request_is_checked_and_tested_and_planned_and_nothing_more() -> None:
    jobs = ended(
        Trigger("pull_request", PULL_REQUEST), plan=a_plan('["validator"]', '["validator"]')
    )
    ran = {name for name, result in jobs.items() if result != "skipped"}
    assert ran == {"contracts", "test", "plan"}


@pytest.mark.parametrize("failed", ["contracts", "test", "plan", "build"])
@pytest.mark.parametrize("result", ["failure", "cancelled"])
def test_nothing_is_deployed_after_a_job_that_did_not_succeed(failed: str, result: str) -> None:
    endings = {"plan": a_plan('["validator"]', '["validator"]')}
    endings[failed] = Ending(result)
    assert ended(Trigger("push", MAIN), **endings)["deploy"] == "skipped"


def test_whatever_happens_only_a_tested_and_planned_commit_on_main_reaches_aws() -> None:
    """Every event, branch, result and plan: 5 x 3 x 2 x 3 x 3 x 3 x 3 x 4 = 9,720 runs."""
    deployed = 0
    refs = (MAIN, PULL_REQUEST, "refs/heads/main2")
    for event, ref, cancelled, contracts, test, plan, build, (stacks, images) in itertools.product(
        EVENTS, refs, (False, True), RESULTS, RESULTS, RESULTS, RESULTS, PLANS
    ):
        endings = {
            "contracts": Ending(contracts),
            "test": Ending(test),
            "plan": a_plan(stacks, images, plan),
            "build": Ending(build),
        }
        jobs = ended(Trigger(event, ref, cancelled), **endings)
        allowed = ref == MAIN and event in ("push", "workflow_dispatch")
        tested = jobs["contracts"] == jobs["test"] == jobs["plan"] == "success"
        has_images = "validator" not in stacks or jobs["build"] == "success"
        may = allowed and tested and "lock" in stacks and has_images and not cancelled
        assert (jobs["deploy"] != "skipped") == may, (event, ref, endings)
        assert jobs["build"] == "skipped" or (allowed and tested), (event, ref, endings)
        deployed += may
    assert deployed == 2 * (3 + 1), "two events; without images, however build would have ended"


def test_every_job_that_gets_credentials_is_held_here() -> None:
    with_credentials = {
        name for name, job in JOBS.items() if "id-token" in job.get("permissions", {})
    }
    assert with_credentials == {"plan", "build", "deploy", "notify"}
    assert JOBS["deploy"]["environment"] == "production"
    assert ended(Trigger("pull_request", PULL_REQUEST))["notify"] == "skipped"


@pytest.mark.parametrize(
    ("stacks", "called_with"),
    [
        ('["lock","archiver"]', "deploy lock archiver --no-input --not-older\n"),
        ("", None),
        ("[]", None),
        ("null", None),
        ("no JSON", None),
    ],
)
def test_the_step_that_deploys_names_its_stacks_or_fails(
    tmp_path: Path, stacks: str, called_with: str | None
) -> None:
    fake = tmp_path / "bin" / "ecp"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    fake.chmod(0o755)
    [step] = [one for one in JOBS["deploy"]["steps"] if "STACKS" in one.get("env", {})]
    ran = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=tmp_path,
        env={"PATH": f"{fake.parent}:/usr/bin:/bin", "STACKS": stacks},
        check=False,
    )
    calls = tmp_path / "calls"
    assert (calls.read_text() if calls.exists() else None) == called_with
    assert (ran.returncode == 0) == (called_with is not None)


def test_actions_are_pinned_by_commit_and_say_which_release_that_is() -> None:
    used = re.findall(r"uses: (.+)", WORKFLOW.read_text())
    assert len(used) > 10
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [one for one in used if not re.fullmatch(pinned, one)] == []
    assert len({one.partition("@")[0] for one in used}) == len(set(used)), "one release of each"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("true == 'x' || github.ref == 'REFS/heads/main'", None),
        ("github.ref == 'REFS/heads/main'", True),
        ("!(github.ref == 'x') && needs.plan.outputs.gone == ''", True),
        ("github.ref == 'x' && github.ref == 'x' || always()", True),
        ("${{ failure() }}", False),
        ("hashFiles('x') == ''", None),
        ("always() always()", None),
    ],
)
def test_conditions_are_read_as_github_reads_them_or_not_at_all(
    condition: str, holds: bool | None
) -> None:
    context: dict[str, Any] = {
        "github": {"ref": MAIN},
        "needs": {"plan": {"outputs": {}}},
        "success": lambda: True,
        "failure": lambda: False,
        "always": lambda: True,
    }
    if holds is None:
        with pytest.raises(ValueError, match=r"this evaluator|cannot read"):
            decide(condition, context)
    else:
        assert decide(condition, context) is holds
