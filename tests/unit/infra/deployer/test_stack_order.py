"""The order of deployment follows from the templates alone."""

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from infra.deployer.templates import ARTIFACT_BUCKET, dependencies, discover
from infra.environments import PROJECT
from infra.errors import DeploymentFailed
from tests.unit.infra.projects import a_project, a_template


def test_a_stack_comes_after_those_whose_parameters_it_resolves(tmp_path: Path) -> None:
    project = a_project(
        tmp_path,
        {
            "infra/platform": a_template(publishes=["/p/bus"]),
            "infra/saga": a_template(resolves=["/lock/queue", "/p/bus"]),
            "lock": a_template(publishes=["/lock/queue"], resolves=["/p/bus"]),
        },
    )
    assert dependencies(discover(project)) == {
        "platform": set(),
        "lock": {"platform"},
        "saga": {"platform", "lock"},
    }


def test_a_dynamic_reference_inside_a_text_counts_as_resolving(tmp_path: Path) -> None:
    name = "!Sub 'x-{{resolve:ssm:/p/bus:1}}'"
    body = a_template() + f"  Named: {{Type: AWS::SNS::Topic, Properties: {{TopicName: {name}}}}}\n"
    project = a_project(tmp_path, {"infra/platform": a_template(["/p/bus"]), "lock": body})
    assert dependencies(discover(project))["lock"] == {"platform"}


def test_a_stack_that_takes_an_artifact_comes_after_the_artifact_bucket(tmp_path: Path) -> None:
    takes = a_template(parameters="  ArtifactKey: {Type: String}\n")
    bucket = a_template(publishes=[ARTIFACT_BUCKET])
    stacks = {"infra/bootstrap": bucket, "lock": takes, "infra/platform": a_template()}
    needed = dependencies(discover(a_project(tmp_path, stacks)))
    assert needed["lock"] == {"bootstrap"}
    assert needed["platform"] == {"bootstrap"}, "its template is kept there"
    assert needed["bootstrap"] == set()


def test_public_parameters_of_aws_need_no_stack(tmp_path: Path) -> None:
    project = a_project(tmp_path, {"lock": a_template(resolves=["/aws/service/ami/latest"])})
    assert dependencies(discover(project)) == {"lock": set()}


def test_a_parameter_that_nobody_publishes_is_named_with_the_template(tmp_path: Path) -> None:
    project = a_project(tmp_path, {"lock": a_template(resolves=["/p/bus"])})
    with pytest.raises(DeploymentFailed, match=r"services/lock/template\.yaml: no .* /p/bus"):
        dependencies(discover(project))


def test_a_parameter_that_two_stacks_publish_is_refused(tmp_path: Path) -> None:
    project = a_project(tmp_path, {"lock": a_template(["/x"]), "archiver": a_template(["/x"])})
    with pytest.raises(DeploymentFailed, match="archiver and lock both publish /x"):
        dependencies(discover(project))


def test_stacks_that_wait_for_each_other_are_named(tmp_path: Path) -> None:
    project = a_project(
        tmp_path, {"lock": a_template(["/a"], ["/b"]), "archiver": a_template(["/b"], ["/a"])}
    )
    with pytest.raises(DeploymentFailed, match=r"lock -> archiver|archiver -> lock"):
        dependencies(discover(project))


def test_a_published_name_must_be_written_out(tmp_path: Path) -> None:
    project = a_project(tmp_path, {"lock": a_template(["!Sub '/${X}'"])})
    with pytest.raises(DeploymentFailed, match="P0 needs a Name written out"):
        discover(project)


def test_the_platform_of_this_project_comes_first_and_the_saga_after_whom_it_commands() -> None:
    needed = dependencies(discover(PROJECT))
    order = list(TopologicalSorter(needed).static_order())
    services = {template.name for template in discover(PROJECT) if template.service}
    assert order[:2] == ["bootstrap", "platform"]
    assert needed["saga"] >= services - {"relay", "api", "guard", "lineage"}
    assert needed["api"] == {"bootstrap", "platform", "transformer", "validator"}
    assert needed["guard"] == {"bootstrap", "platform", "transformer"}
    assert needed["lineage"] == {"bootstrap", "platform"}
    assert needed["relay"] == {"bootstrap", "platform"}
