"""Which cloud a command speaks to."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.ecp import names, target
from infra.ecp.target import Target, choose, cloud_directory
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.errors import UnknownName

LOCAL = ("http://127.0.0.1:4566", {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})


def no_cloud() -> None:
    return None


def a_cloud() -> tuple[str, Mapping[str, str]]:
    return LOCAL


def test_an_endpoint_in_the_environment_wins_over_everything() -> None:
    environment = {"AWS_ENDPOINT_URL": "http://elsewhere", "AWS_PROFILE": "shop"}
    choice = choose(environment, a_cloud)
    assert choice.environment == environment
    assert (choice.origin, choice.ignored_local) == ("AWS_ENDPOINT_URL=http://elsewhere", None)


def test_credentials_win_over_a_running_local_cloud_which_is_mentioned() -> None:
    choice = choose({"AWS_PROFILE": "shop"}, a_cloud)
    assert (choice.origin, choice.ignored_local) == ("AWS (AWS_PROFILE=shop)", LOCAL[0])
    assert choose({"AWS_PROFILE": "shop"}, no_cloud).ignored_local is None


def test_a_secret_is_named_but_never_shown() -> None:
    choice = choose({"AWS_ACCESS_KEY_ID": "AKIASECRET"}, no_cloud)
    assert choice.origin == "AWS (AWS_ACCESS_KEY_ID)"


def test_a_local_cloud_is_found_and_other_aws_settings_do_not_leak_into_it() -> None:
    choice = choose({"AWS_REGION": "eu-central-1", "HOME": "/home/me"}, a_cloud)
    assert choice.environment == {"HOME": "/home/me", **LOCAL[1]}
    assert choice.origin == "the local cloud at http://127.0.0.1:4566"


def test_a_bare_region_is_enough_where_a_role_gives_the_credentials() -> None:
    assert choose({"AWS_REGION": "eu-west-1"}, no_cloud).origin == "AWS (AWS_REGION=eu-west-1)"


@pytest.mark.parametrize("environment", [{}, {"AWS_PROFILE": "", "AWS_REGION": ""}])
def test_no_cloud_at_all_is_a_fault_that_says_what_to_do(environment: dict[str, str]) -> None:
    with pytest.raises(CommandFailed, match="run 'ecp up' first, or set AWS_PROFILE") as failure:
        choose(environment, no_cloud)
    assert failure.value.exit_code is ExitCode.SYSTEM_FAILED


def test_an_endpoint_that_is_no_url_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage, match=r"AWS_ENDPOINT_URL=127\.0\.0\.1:4566: write it"):
        choose({"AWS_ENDPOINT_URL": "127.0.0.1:4566"}, a_cloud)


def test_the_cloud_of_a_parent_directory_is_this_one_too(tmp_path: Path) -> None:
    (tmp_path / ".ecp").mkdir()
    (tmp_path / ".ecp" / "cloud.json").write_text("{}")
    below = tmp_path / "shop" / "orders"
    below.mkdir(parents=True)
    assert cloud_directory(below) == tmp_path
    assert cloud_directory(tmp_path.parent) is None


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, "us-east-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ({"AWS_PROFILE": "shop"}, None),
        ({"AWS_PROFILE": "shop", "AWS_ACCESS_KEY_ID": "x"}, "us-east-1"),
    ],
)
def test_the_region_is_left_to_the_profile_only_where_one_is_used(
    environment: dict[str, str], region: str | None
) -> None:
    assert Target(environment, "somewhere").region == region


def test_clients_point_at_the_endpoint_and_are_made_once() -> None:
    local = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", **LOCAL[1]}
    there = Target(local, "here")
    s3 = there.client("s3")
    assert s3.meta.endpoint_url == LOCAL[0]
    assert s3.meta.config.s3 == {"addressing_style": "path"}
    assert there.client("s3") is s3


def test_the_person_is_told_which_cloud_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "shop")
    monkeypatch.setattr(target, "find_running_cloud", a_cloud)
    assert target.current_target().origin == "AWS (AWS_PROFILE=shop)"
    assert "though a local cloud runs at http://127.0.0.1:4566" in capsys.readouterr().err


def test_names_are_those_of_the_stage_that_the_environment_names() -> None:
    assert Target({"STAGE": "blue"}, "x").stage.named("EventStore") == "blue-EventStore"
    assert Target({}, "x").stage.named("EventStore") == "EventStore"


def test_a_table_is_that_of_the_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STAGE", raising=False)
    assert names.table("OrderKPIs") == "OrderKPIs"
    assert names.facts_database() == "ecommerce"
    monkeypatch.setenv("STAGE", "blue")
    assert names.table("OrderKPIs") == "blue-OrderKPIs"
    assert names.facts_database() == "blue_ecommerce"


def test_a_name_that_can_be_no_stage_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "Blue Stage")
    with pytest.raises(UnknownName, match="such as dev"):
        names.table("OrderKPIs")
