"""What a deployment would do is decided from hashes, names and paths alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from infra.deployer.package import closure_of, sources_digest
from infra.deployer.plan import PlannedStack, Wanted, plan_commit, plan_stack
from infra.deployer.releases import Release, Releases
from infra.deployer.templates import (
    ARTIFACT_BUCKET,
    StackTemplate,
    dependencies,
    discover,
    order_of_deployment,
)
from infra.ecp.deploy.view import print_plan
from infra.environments import PROJECT
from tests.unit.infra.projects import a_function_project, a_project, a_template

PROJECTS_OWN = discover(PROJECT)
ORDER = order_of_deployment(dependencies(PROJECTS_OWN))
SERVICES = [one for one in PROJECTS_OWN if one.service]
EVERY_SERVICE = [name for name in ORDER if name in {one.name for one in SERVICES}]


@cache
def code() -> dict[str, frozenset[Path]]:
    return {one.name: closure_of(one, PROJECT) for one in SERVICES}


def three(folder: Path) -> dict[str, StackTemplate]:
    project = a_project(
        folder,
        {
            "infra/platform": a_template(publishes=[ARTIFACT_BUCKET, "/p/bus"]),
            "infra/saga": a_template(resolves=["/lock/queue"]),
            "lock": a_template(publishes=["/lock/queue"], resolves=["/p/bus"]),
        },
    )
    return {template.name: template for template in discover(project)}


RELEASE = Release("v", "lock/1.zip", "lock/1.yaml", "1", {"Tunable": "1"}, None, "now", "ada")


def planned(
    folder: Path,
    deployed: Release | None = RELEASE,
    *,
    published: Sequence[str] = ("/lock/queue",),
    parameters: Mapping[str, str] | None = None,
    **wanted: str,
) -> PlannedStack:
    templates = three(folder)
    asked = {"sources": "1", "template_key": "lock/1.yaml", **wanted}
    return plan_stack(
        Wanted(templates["lock"], parameters=parameters or {}, **asked),
        deployed,
        published,
        templates.values(),
    )


def test_equal_hashes_mean_that_nothing_is_deployed(tmp_path: Path) -> None:
    plan = planned(tmp_path, parameters={"Tunable": "1"})
    assert (plan.changes, plan.meaning) == ((), "stays as it is")


@pytest.mark.parametrize(
    ("wanted", "changes"),
    [
        ({"sources": "2"}, ("code",)),
        ({"template_key": "lock/2.yaml"}, ("template",)),
        ({"sources": "2", "template_key": "lock/2.yaml"}, ("code", "template")),
    ],
)
def test_what_differs_is_named_and_consumers_need_no_deploy_while_names_stay(
    tmp_path: Path, wanted: dict[str, str], changes: tuple[str, ...]
) -> None:
    plan = planned(tmp_path, **wanted)
    assert plan.changes == changes
    assert plan.consumers == ("saga",)
    assert plan.meaning == "its names stay: saga need no deploy"


def test_only_a_given_parameter_that_differs_is_a_change(tmp_path: Path) -> None:
    assert planned(tmp_path, parameters={"Tunable": "2"}).changes == ("parameters",)
    assert planned(tmp_path, parameters={}).changes == ()


def test_what_was_never_deployed_is_new_and_comes_before_its_consumers(tmp_path: Path) -> None:
    plan = planned(tmp_path, None, published=())
    assert (plan.changes, plan.meaning) == (("new",), "comes before saga")


def test_a_name_that_goes_or_comes_is_told(tmp_path: Path) -> None:
    gone = planned(tmp_path, template_key="2", published=["/lock/queue", "/lock/old"])
    assert "publishes no more: /lock/old; whoever looks that up" in gone.meaning
    come = planned(tmp_path, template_key="2", published=[])
    assert come.meaning == "publishes more: /lock/queue; all other names stay"


@pytest.mark.parametrize(
    ("path", "deployed"),
    [
        ("docs/architecture.md", []),
        ("tests/model.py", []),
        ("infra/deployer/deploy.py", []),
        ("services/lock/README.md", []),
        ("services/lock/service.yaml", []),
        ("contracts/README.md", []),
        ("contracts/compatibility/gate.py", []),
        ("contracts/released/index.json", []),
        ("contracts/released/v1/schemas/commands/AcquireLock/v1.json", []),
        ("services/validator/quarantine/source_replay.py", []),
        ("services/validator/quarantine/replay_plan.py", ["validator"]),
        ("services/runtime/event_store/unheard_of.py", []),
        ("services/lock/domain.py", ["lock"]),
        ("services/lock/requirements.txt", ["lock"]),
        ("services/lock/template.yaml", ["lock"]),
        ("services/validator/Dockerfile", ["validator"]),
        ("services/transformer/sql/lines.sql", ["transformer"]),
        ("infra/stacks/saga.asl.json", ["saga"]),
        ("infra/stacks/platform.yaml", ["platform"]),
        ("infra/stacks/dashboard.yaml", ["dashboard"]),
        ("services/relay/requirements.txt", ["relay"]),
        ("services/transformer/emr/job.py", ["transformer"]),
        ("services/transformer/sql/deleted.sql", ["transformer"]),
        ("services/runtime/messaging/worker.py", ["transformer", "validator"]),
        (
            "contracts/files/orders/v2.json",
            ["archiver", "transformer", "validator", "api", "lineage"],
        ),
        ("contracts/schemas/events/Deleted/v1.json", EVERY_SERVICE),
        ("services/runtime/csv_files/gzip_data.py", ["archiver", "transformer", "validator"]),
        (
            "services/runtime/event_store/port.py",
            ["aggregator", "archiver", "lock", "relay", "transformer", "validator", "guard"],
        ),
        ("contracts/envelope.py", EVERY_SERVICE),
        ("constraints.txt", EVERY_SERVICE),
    ],
)
def test_a_changed_file_deploys_what_is_built_from_it_and_nothing_else(
    path: str, deployed: list[str]
) -> None:
    planned = [one.name for one in plan_commit([path], PROJECTS_OWN, ORDER, code())]
    assert sorted(planned) == sorted(deployed)  # their order is another test


def test_a_commit_of_code_and_template_says_both_and_why() -> None:
    paths = ["services/lock/domain.py", "services/lock/template.yaml"]
    [plan] = plan_commit(paths, PROJECTS_OWN, ORDER, code())
    assert (plan.changes, plan.because) == (("code", "template"), tuple(paths))


def test_of_many_paths_three_are_shown_and_how_many_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    paths = tuple(f"{letter}.py" for letter in "abc") + ("d.py",) * 1200
    print_plan([PlannedStack("lock", ("code",), (), "all names stay", paths)], as_json=False)
    assert "a.py, b.py, c.py and 1,200 more" in " ".join(capsys.readouterr().out.split())


def test_a_stack_comes_after_what_it_needs_and_by_name_where_it_is_free() -> None:
    needed = {"b": {"p"}, "a": {"p"}, "p": set(), "z": {"a", "b"}, "c": {"elsewhere"}}
    assert order_of_deployment({name: set(after) for name, after in needed.items()}) == [
        *("p", "a", "b", "c", "z")
    ]


def test_sources_are_all_that_code_is_built_from(tmp_path: Path) -> None:
    project = a_function_project(tmp_path)
    (project / "services/lock/requirements.txt").write_text("boto3==1")
    lock = next(one for one in discover(project) if one.name == "lock")
    before = sources_digest(lock, project)
    (project / "services/lock/README.md").write_text("# Another")
    assert sources_digest(lock, project) == before
    (project / "services/lock/requirements.txt").write_text("boto3==2")
    assert sources_digest(lock, project) != before


def test_deploying_the_same_version_again_keeps_what_was_before_it() -> None:
    first, second = RELEASE, replace(RELEASE, version="w")
    both = Releases().followed_by(first).followed_by(second)
    assert both == Releases(second, first)
    again = replace(second, deployed_at="later")
    assert both.followed_by(again) == Releases(again, first)
