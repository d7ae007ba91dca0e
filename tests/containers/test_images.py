"""Image and task definition of a service say the same: no engine is needed to see it."""

import json
import re
from typing import Any

import pytest

from infra.environments import PROJECT
from tests.security.account import of_type

SERVICES = ("validator", "transformer")
each_service = pytest.mark.parametrize("service", SERVICES)


def dockerfile(service: str) -> list[str]:
    """The last stage's instructions, a line each, without comments."""
    text = (PROJECT / f"services/{service}/Dockerfile").read_text()
    joined = re.sub(r"\s*\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    lines = [line for line in joined.splitlines() if line]
    last_stage = max(n for n, line in enumerate(lines) if line.startswith("FROM"))
    return lines[last_stage:]


def said(service: str, instruction: str) -> str:
    """What the one line of an instruction says."""
    [line] = [one for one in dockerfile(service) if one.startswith(f"{instruction} ")]
    return line.removeprefix(f"{instruction} ")


def container(service: str) -> dict[str, Any]:
    """The container of the service's task definition."""
    containers: list[dict[str, Any]] = [
        one
        for definition in of_type("AWS::ECS::TaskDefinition")
        for one in definition.properties["ContainerDefinitions"]
    ]
    [found] = [one for one in containers if one["Name"] == service]
    return found


@each_service
def test_both_run_the_same_command_as_the_same_nobody(service: str) -> None:
    assert json.loads(said(service, "CMD")) == container(service)["Command"]
    assert said(service, "USER") == container(service)["User"] == "1000"


@each_service
def test_both_ask_the_same_question_about_health(service: str) -> None:
    check = container(service)["HealthCheck"]
    command = said(service, "HEALTHCHECK").split(" CMD ")
    assert ["CMD-SHELL", command[1]] == check["Command"]
    timing = (
        f"--interval={check['Interval']}s --timeout={check['Timeout']}s "
        f"--start-period={check['StartPeriod']}s"
    )
    assert command[0] == timing


@each_service
def test_the_file_that_health_looks_at_is_the_one_that_the_worker_touches(service: str) -> None:
    named = {one["Name"]: one["Value"] for one in container(service)["Environment"]}
    assert f"WORKER_READY_FILE={named['WORKER_READY_FILE']}" in said(service, "ENV").split()


@each_service
def test_nothing_but_the_temporary_folder_can_be_written(service: str) -> None:
    found = container(service)
    assert found["ReadonlyRootFilesystem"] is True
    assert [mount["ContainerPath"] for mount in found["MountPoints"]] == ["/tmp"]  # noqa: S108
    assert json.loads(said(service, "VOLUME")) == ["/tmp"]  # noqa: S108


@each_service
def test_a_stopped_task_has_two_minutes_and_hears_the_signal_from_its_first_moment(
    service: str,
) -> None:
    assert container(service)["StopTimeout"] == 120
    assert container(service)["LinuxParameters"] == {"InitProcessEnabled": True}


@each_service
def test_an_image_starts_from_a_base_that_can_be_given_by_digest(service: str) -> None:
    text = (PROJECT / f"services/{service}/Dockerfile").read_text()
    assert text.count("ARG BASE_IMAGE=python:3.11-slim\n") == 1
    outside = set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert outside <= {"${BASE_IMAGE}", "with_java"}


@each_service
def test_an_image_holds_the_pinned_packages_of_its_service(service: str) -> None:
    text = (PROJECT / f"services/{service}/Dockerfile").read_text()
    assert f"COPY constraints.txt services/{service}/requirements.txt /build/" in text
    assert "-c /build/constraints.txt -r /build/requirements.txt" in text
