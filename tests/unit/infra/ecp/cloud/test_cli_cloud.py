"""`up`, `down`, `deploy`, `demo` and `sample` around the local cloud, without starting one."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.ecp.cloud.commands import exports
from infra.ecp.demo import demo
from infra.ecp.deploy.commands import pairs
from infra.ecp.main import app
from infra.ecp.terminal.errors import WrongUsage
from infra.errors import LocalCloudError
from infra.local import cloud
from infra.local.cloud import RunningCloud
from tests.unit.infra.ecp.kpis.test_kpi_queries import a_category

ENDPOINT = "http://127.0.0.1:4600"


def a_running_cloud(directory: Path) -> RunningCloud:
    return RunningCloud(directory, ENDPOINT, 4600, 1, "2026-01-01T00:00:00.000Z", {}, {})


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_up_prints_two_exports_that_a_shell_can_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def up(
        directory: Path, port: int | None, settings: dict[str, str], _: object, *, fresh: bool
    ) -> RunningCloud:
        asked.extend([directory, port, settings])
        assert not fresh
        return a_running_cloud(directory)

    monkeypatch.setattr(cloud, "up", up)
    monkeypatch.setenv("SETTLE_SECONDS", "5")
    monkeypatch.setenv("ECP_PORT", "4600")
    said = CliRunner().invoke(app, ["up"])
    assert asked == [tmp_path, 4600, {"SETTLE_SECONDS": "5"}]
    assert said.stdout.splitlines() == [
        f"export AWS_ENDPOINT_URL={ENDPOINT}",
        "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1",
    ]
    assert f"the local cloud at {ENDPOINT} is up after" in said.stderr
    document = json.loads(CliRunner().invoke(app, ["up", "--port", "0", "--json"]).stdout)
    assert (document["port"], document["environment"]["AWS_ENDPOINT_URL"]) == (4600, ENDPOINT)
    assert asked[4] == 0


def test_down_looks_for_the_cloud_of_a_parent_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Path] = []

    def down(directory: Path, *, keep: bool) -> bool:
        stopped.append(directory)
        assert keep
        return True

    monkeypatch.setattr(cloud, "down", down)
    (tmp_path / ".ecp").mkdir()
    (tmp_path / ".ecp" / "cloud.json").touch()
    below = tmp_path / "shop"
    below.mkdir()
    monkeypatch.chdir(below)
    assert CliRunner().invoke(app, ["down"]).stdout == (
        "the local cloud is down, what was in it is kept; `ecp up` goes on from there\n"
    )
    assert stopped == [tmp_path]


def test_down_where_nothing_is_up_says_so_and_is_no_fault() -> None:
    said = CliRunner().invoke(app, ["down"])
    assert (said.exit_code, said.stdout) == (0, "no local cloud was up here\n")


def test_exports_name_the_endpoint_first() -> None:
    assert exports({"A": "1", "AWS_ENDPOINT_URL": ENDPOINT, "B": "2"}) == [
        f"export AWS_ENDPOINT_URL={ENDPOINT}",
        "export A=1 B=2",
    ]


def test_pairs_are_split_at_the_first_equals_sign() -> None:
    assert pairs("--image", ["a=b@sha256:1=2", "c="]) == {"a": "b@sha256:1=2", "c": ""}


@pytest.mark.parametrize("text", ["SettleSeconds", "=5", ""])
def test_what_is_no_pair_is_wrong_usage(text: str) -> None:
    with pytest.raises(WrongUsage, match=f"--parameter {text}: write it as NAME=VALUE"):
        pairs("--parameter", [text])


@pytest.mark.parametrize("switches", [[], ["--keep"]])
def test_a_demo_that_cannot_start_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switches: list[str]
) -> None:
    def up(*_: object) -> RunningCloud:
        raise LocalCloudError("the local cloud is not up")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cloud, "up", up)
    said = CliRunner().invoke(app, ["demo", *switches])
    assert said.exit_code == 3
    assert said.stderr.splitlines()[-1] == "error: the local cloud is not up"
    assert list(tmp_path.iterdir()) == []


def test_sigterm_ends_a_demo_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), demo._stopped_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_day_is_shown_with_all_its_categories() -> None:
    days = ("2025-07-02", "2025-07-01")
    kpis = [a_category(category, day) for category in ("Books", "Toys") for day in days]
    first_two = [(kpi["category"], kpi["order_date"]) for kpi in demo.by_day(kpis)][:2]
    assert first_two == [("Books", "2025-07-01"), ("Toys", "2025-07-01")]


@pytest.mark.parametrize(("found", "first"), [("/bin/ecp", "ecp up"), (None, "source ")])
def test_what_to_try_next_begins_with_the_path_where_ecp_is_not_on_it(
    monkeypatch: pytest.MonkeyPatch, found: str | None, first: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: found)
    lines = demo.next_steps().splitlines()
    assert lines[0].startswith(first)
    assert found or lines[0] == f"source {sys.prefix}/bin/activate"


def test_sample_writes_the_shop_of_the_demo(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["sample", "shop", "--seed", "3"])
    assert said.exit_code == 0
    assert "9 bad rows in 5 files under shop" in said.stdout
    assert (tmp_path / "shop" / "orders" / "2025-07-part1.csv").is_file()
