"""New versions of single services go into a running pipeline: good ones stay, bad ones go back."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.deployer.rollout import LOCAL_WORKERS
from infra.deployer.templates import dependencies, discover, order_of_deployment
from infra.local import cloud
from infra.local.cloud import RunningCloud
from infra.local.folders import Folders
from tests.model import ShopModel
from tests.support.ecp import PROJECT, Said, ecp
from tests.support.examples import thorough
from tests.support.pipeline import DATA_BUCKET, PATIENCE_SECONDS, Pipeline, eventually
from tests.support.standing import Row, assert_kpis_equal, csv_of, rows_of, run

pytestmark = pytest.mark.integration
STACKS = discover(PROJECT)
EVERY_SERVICE = [
    name
    for name in order_of_deployment(dependencies(STACKS))
    if name in {stack.service for stack in STACKS}
]
ORDER_FILES = 60
SPOKE = "checked by the new version"
NEW_VERSION = f'''

_before = validate_file


def validate_file(message, ports):
    print("{SPOKE}", flush=True)
    return _before(message, ports)
'''


@pytest.fixture(scope="module")
def running_cloud(own_cloud: RunningCloud) -> RunningCloud:
    return own_cloud


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, in which a test changes what it likes."""
    for folder in ("contracts", "services", "infra"):
        shutil.copytree(
            PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(PROJECT / "constraints.txt", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model() -> ShopModel:
    """The model of the module's one cloud, whose batches follow each other."""
    return ShopModel()


def append(checkout: Path, file: str, text: str) -> None:
    path = checkout / file
    path.write_text(path.read_text() + text)


def deploy(running: RunningCloud, checkout: Path, *arguments: object) -> Said:
    return ecp("deploy", *arguments, "--yes", "--source", checkout, directory=running.directory)


def version_of(running: RunningCloud, stack: str) -> dict[str, Any]:
    said = ecp("deploy", "--versions", "--json", directory=running.directory)
    assert said.exit_code == 0, said.err
    return dict(said.document[stack])


def worker_of(running: RunningCloud, name: str = "validator") -> int:
    found = cloud.find(running.directory)
    assert found is not None
    return found.workers[name]


def some_rows(number: int) -> dict[str, list[Row]]:
    day = f"2025-07-{number + 1:02}"
    return {
        "orders": rows_of("orders", f"d{number},u1,{day},20.00,completed"),
        "order_items": rows_of("order_items", f"d{number},p1,2,10.00"),
        "products": rows_of("products", "p1,Books,A book,10.00"),
    }


def a_batch_of_many_files(pipeline: Pipeline, model: ShopModel) -> str:
    """Upload a batch that keeps the validator busy for seconds; returns one of its keys."""
    orders = [
        rows_of(
            "orders",
            *(f"m{file}-{row},u{row},2025-06-{row + 1:02},5.00,completed" for row in range(20)),
        )
        for file in range(ORDER_FILES)
    ]
    rest = {
        "order_items": rows_of("order_items", "m0-0,p1,1,5.00"),
        "products": rows_of("products", "p1,Books,A book,10.00"),
    }
    files = {f"orders/many{n:02}.csv": csv_of("orders", rows) for n, rows in enumerate(orders)}
    files |= {f"{kind}/many.csv": csv_of(kind, rows) for kind, rows in rest.items()}
    pipeline.upload_set("many", files)
    model.apply(orders=[row for rows in orders for row in rows], **rest)
    return "orders/many00.csv"


@contextmanager
def paused_after_its_first_file(pipeline: Pipeline, validator: int) -> Iterator[None]:
    """The validator stands still with most of the batch before it, until somebody resumes it."""
    eventually(lambda: [key for key in pipeline.keys(DATA_BUCKET) if "/reports/" in key])
    process = psutil.Process(validator)
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


@pytest.mark.thorough
def test_a_new_validator_goes_on_with_a_batch_that_runs_and_the_batch_completes(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel, checkout: Path
) -> None:
    before, old = version_of(running_cloud, "validator"), worker_of(running_cloud)
    append(checkout, "services/validator/use_cases.py", NEW_VERSION)
    key = a_batch_of_many_files(pipeline, model)
    with paused_after_its_first_file(pipeline, old), ThreadPoolExecutor(1) as aside:
        deployment = aside.submit(deploy, running_cloud, checkout, "validator")
        eventually(lambda: worker_said(pipeline)["state"] == "stopping", 60)
        assert worker_of(running_cloud) == old
        psutil.Process(old).resume()
        said = deployment.result()
    assert said.exit_code == 0, said.err
    assert "TaskDefinition" in said.out

    batch = pipeline.batch_of(key)

    assert batch["status"] == "COMPLETED", batch
    assert_kpis_equal(pipeline, model)
    spoken = Folders(running_cloud.directory).log("validator").read_text().count(SPOKE)
    assert 0 < spoken < ORDER_FILES + 2, "both versions worked on it"
    assert pipeline.dead_letters() == {}
    after = version_of(running_cloud, "validator")
    assert after["previous"]["version"] == before["current"]["version"]
    assert after["current"]["version"] != before["current"]["version"]
    assert after["current"]["code"] in running_image(pipeline)
    assert worker_of(running_cloud) != old
    assert not psutil.pid_exists(old)


def worker_said(pipeline: Pipeline) -> dict[str, str]:
    """How far the local cloud is with the validator that was deployed."""
    parameter = pipeline.client("ssm").get_parameter(Name=f"{LOCAL_WORKERS}validator")
    return dict(json.loads(parameter["Parameter"]["Value"]))


def running_image(pipeline: Pipeline) -> str:
    described = pipeline.client("ecs").describe_task_definition(taskDefinition="validation-task")
    return str(described["taskDefinition"]["containerDefinitions"][0]["image"])


@pytest.mark.thorough
def test_a_validator_that_cannot_start_is_rolled_back_and_the_version_before_works_on(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel, checkout: Path
) -> None:
    before = version_of(running_cloud, "validator")
    append(checkout, "services/validator/use_cases.py", "\nraise RuntimeError('broken on purpose')")

    said = deploy(running_cloud, checkout, "validator")

    assert said.exit_code == 3
    version = before["current"]["version"]
    why = "worker validator does not start: RuntimeError: broken on purpose"
    assert f"{why}; rolled back to {version}, which works" in said.err
    assert "Traceback" in said.err
    assert version_of(running_cloud, "validator") == before
    assert psutil.pid_exists(worker_of(running_cloud))
    assert before["current"]["code"] == running_image(pipeline)
    run(pipeline, model, "afterbroken", some_rows(1))
    assert_kpis_equal(pipeline, model)


@pytest.mark.thorough
def test_a_function_that_cannot_start_is_rolled_back(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel, checkout: Path
) -> None:
    before = version_of(running_cloud, "archiver")
    append(checkout, "services/archiver/use_cases.py", "\nraise RuntimeError('broken on purpose')")

    said = deploy(running_cloud, checkout, "archiver")

    assert said.exit_code == 3
    assert "function batch-archiver cannot start" in said.err
    assert "broken on purpose" in said.err
    assert f"rolled back to {before['current']['version']}, which works" in said.err
    assert version_of(running_cloud, "archiver") == before
    run(pipeline, model, "afterarchiver", some_rows(2))
    assert_kpis_equal(pipeline, model)


def test_an_alarm_that_rings_after_a_deploy_rolls_it_back(
    running_cloud: RunningCloud, pipeline: Pipeline, checkout: Path
) -> None:
    before = version_of(running_cloud, "lock")
    append(checkout, "services/lock/use_cases.py", "\n# harmless")
    said: list[Said] = []
    deploying = threading.Thread(
        target=lambda: said.append(deploy(running_cloud, checkout, "lock", "--watch-seconds", 30))
    )
    deploying.start()
    cloudwatch, functions = pipeline.client("cloudwatch"), pipeline.client("lambda")
    old = code_sha256(functions)
    eventually(lambda: code_sha256(functions) != old)
    cloudwatch.set_alarm_state(
        AlarmName="lock-commands-are-late", StateValue="ALARM", StateReason="too slow"
    )
    deploying.join(PATIENCE_SECONDS)
    cloudwatch.set_alarm_state(
        AlarmName="lock-commands-are-late", StateValue="OK", StateReason="the test is over"
    )
    assert said[0].exit_code == 3
    assert "alarm lock-commands-are-late rang: too slow; rolled back" in said[0].err
    assert version_of(running_cloud, "lock") == before
    assert code_sha256(functions) == old


def code_sha256(functions: Any) -> str:
    configuration = functions.get_function_configuration(FunctionName="processing-lock")
    return str(configuration["CodeSha256"])


@pytest.mark.thorough
def test_a_person_can_go_back_to_the_version_before(
    running_cloud: RunningCloud, pipeline: Pipeline, model: ShopModel
) -> None:
    before = version_of(running_cloud, "validator")
    assert before["previous"] is not None, "the first test of this module deployed a second one"

    said = ecp("deploy", "validator", "--rollback", "--yes", directory=running_cloud.directory)

    assert said.exit_code == 0, said.err
    after = version_of(running_cloud, "validator")
    assert after["current"]["version"] == before["previous"]["version"]
    assert after["previous"]["version"] == before["current"]["version"]
    run(pipeline, model, "afterrollback", some_rows(3))
    assert_kpis_equal(pipeline, model)


def test_a_plan_names_what_changed_in_the_order_of_deployment(
    running_cloud: RunningCloud, checkout: Path
) -> None:
    append(checkout, "contracts/envelope.py", "\n# changed")
    append(checkout, "services/lock/template.yaml", "\n# changed")
    append(checkout, "services/archiver/README.md", "\nchanged")
    said = ecp(
        *("deploy", "--plan", "--json", "--source", checkout, "--parameter", "SettleSeconds=7"),
        directory=running_cloud.directory,
    )
    assert said.exit_code == 0, said.err
    planned = {one["name"]: one["changes"] for one in said.document}
    assert next(iter(planned)) == "platform"
    assert list(planned).index("validator") < list(planned).index("saga")
    assert planned["lock"] == ["code", "template"]
    assert planned["aggregator"] == ["code", "parameters"]
    assert planned["relay"] == planned["archiver"] == planned["validator"] == ["code"]
    assert planned["platform"] == planned["saga"] == planned["dashboard"] == []


@pytest.fixture
def repository(checkout: Path) -> Path:
    """The checkout as a git repository with one commit."""
    for arguments in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "first"),
    ):
        subprocess.run(["git", "-C", str(checkout), *arguments], check=True)
    return checkout


@pytest.mark.parametrize(
    ("file", "deployed"),
    [
        ("docs/runbook.md", []),
        thorough(pytest.param("services/lock/README.md", [])),
        ("services/lock/domain.py", ["lock"]),
        thorough(pytest.param("infra/stacks/saga.asl.json", ["saga"])),
        thorough(pytest.param("contracts/envelope.py", EVERY_SERVICE)),
    ],
)
def test_what_a_commit_would_deploy_is_said_without_a_cloud(
    repository: Path, file: str, deployed: list[str]
) -> None:
    (repository / file).parent.mkdir(exist_ok=True)
    with (repository / file).open("a") as changed:
        changed.write("\n")
    said = ecp(
        *("deploy", "--plan", "--since", "HEAD", "--json", "--source", repository),
        directory=repository,
    )
    assert said.exit_code == 0, said.err
    assert [one["name"] for one in said.document] == deployed


def test_nobody_is_asked_where_nobody_is(running_cloud: RunningCloud, checkout: Path) -> None:
    append(checkout, "services/archiver/domain.py", "\n# changed")
    finished = subprocess.run(
        [sys.executable, "-m", "infra.ecp.main", "deploy", "archiver", "--source", str(checkout)],
        cwd=running_cloud.directory,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT), "HOME": str(checkout)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert "nobody can be asked here: say --yes" in finished.stderr
