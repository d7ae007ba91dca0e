"""Rights enforced: every role does what it has to with its own rights, and not with one less.

MiniStack evaluates each call of functions, workers and people; what it does not (the saga, rules
and CloudFormation act without their roles, and nobody is asked for iam:PassRole) stays with the
evaluator of tests/security. `pytest -s` prints the calls by role.
"""

import shlex
from http import HTTPStatus
from pathlib import Path
from urllib.request import urlopen

import pytest

from infra.local.cloud import RunningCloud
from tests.support.ecp import Said, ecp
from tests.support.pipeline import ARCHIVE_BUCKET, DATA_BUCKET, Pipeline, eventually
from tests.support.rights import asked, elsewhere, taken_on, without
from tests.support.shop import (
    a_product,
    an_item,
    an_order,
    items_csv,
    orders_csv,
    products_csv,
)

pytestmark = pytest.mark.integration
DENIED_ON_PURPOSE = True
READER, CORRECTOR, OPERATOR = (f"people-{one}Role" for one in ("Reader", "Corrector", "Operator"))
SERVICES = {
    *("aggregator-Role", "api-Role", "api-ViewsRole", "archiver-Role", "guard-Role", "lock-Role"),
    *("relay-Role", "transformer-TaskRole", "validator-TaskRole"),
}
TEN_RIGHTS = (
    ("aggregator-Role", "states:StartExecution"),
    ("archiver-Role", "s3:DeleteObjectVersion"),
    ("archiver-Role", "s3:PutObject"),
    ("guard-Role", "dynamodb:BatchGetItem"),
    ("lock-Role", "dynamodb:PutItem"),
    ("relay-Role", "events:PutEvents"),
    ("transformer-TaskRole", "dynamodb:Query"),
    ("transformer-TaskRole", "glue:UpdateTable"),
    ("validator-TaskRole", "s3:PutObject"),
    ("validator-TaskRole", "secretsmanager:GetSecretValue"),
)
LOOKS = ("status", "batches", "ignored", "lock show", "dlq list", "sources list")
HOLDS_UP_NOTHING = {"guard-Role"}
"""It looks at numbers beside the pipeline."""
QUICK = ("archiver-Role", "s3:PutObject")


def upload(pipeline: Pipeline, name: str, orders: str = "", days: str = "07") -> str:
    """A small set; returns the key of its orders."""
    key = f"orders/{name}.csv"
    rows = (an_order(f"{name}{n}", order_date=f"2025-07-{days}") for n in range(1, 4))
    pipeline.upload_set(
        name,
        {
            key: orders or orders_csv(*rows),
            f"order_items/{name}.csv": items_csv(an_item(f"{name}1")),
            f"products/{name}.csv": products_csv(a_product()),
        },
    )
    return key


def moved(pipeline: Pipeline, key: str) -> bool:
    """Whether an input lies in the archive and nowhere else."""
    archived = any(one.endswith(key) for one in pipeline.keys(ARCHIVE_BUCKET, "archive/"))
    return archived and key not in pipeline.keys(DATA_BUCKET, key)


def test_a_whole_way_takes_no_right_that_the_templates_do_not_give(
    running_cloud: RunningCloud, pipeline: Pipeline, tmp_path: Path
) -> None:
    allowed_before, denied_before = asked(running_cloud.port)
    key = upload(pipeline, "rights")
    assert pipeline.batch_of(key)["status"] == "COMPLETED"
    eventually(lambda: moved(pipeline, key))
    refused = upload(pipeline, "refused", orders="no header\n1\n")
    assert pipeline.batch_of(refused)["status"] == "REJECTED"
    url = ecp("api", "url", directory=tmp_path, environment=pipeline.environment).out.strip()
    for page in ("batches", "console/operations"):
        with urlopen(f"{url}/{page}") as answer:  # noqa: S310
            assert answer.status == HTTPStatus.OK

    allowed, denied = asked(running_cloud.port)

    assert denied - denied_before == {}
    allowed -= allowed_before
    assert {role for role, _ in allowed} >= SERVICES
    for role in sorted({role for role, _ in allowed}):
        counts = [count for (name, _), count in allowed.items() if name == role]
        print(f"{role}: {sum(counts)} calls of {len(counts)} actions")


@pytest.mark.thorough
def test_an_erasure_takes_no_right_that_the_templates_do_not_give(
    running_cloud: RunningCloud, pipeline: Pipeline, tmp_path: Path
) -> None:
    before = asked(running_cloud.port)[1]
    key = upload(pipeline, "erased")
    assert pipeline.batch_of(key)["status"] == "COMPLETED"
    eventually(lambda: moved(pipeline, key))
    erased = ecp(
        *("privacy", "erase", "u1", "--yes"),
        directory=tmp_path,
        environment=pipeline.environment,
    )
    assert erased.exit_code == 0, erased.err
    assert asked(running_cloud.port)[1] - before == {}


@pytest.mark.parametrize(
    ("role", "action"),
    [
        pytest.param(*each, marks=[] if each == QUICK else [pytest.mark.thorough])
        for each in TEN_RIGHTS
    ],
)
def test_a_right_that_is_taken_away_is_missed_and_its_return_heals(
    running_cloud: RunningCloud, pipeline: Pipeline, tmp_path: Path, role: str, action: str
) -> None:
    before = asked(running_cloud.port)[1][role, action]
    name = f"{role}-{action}".lower().replace(":", "-")
    with without(pipeline, role, action):
        key = upload(pipeline, name, days=f"{10 + TEN_RIGHTS.index((role, action))}")
        eventually(lambda: asked(running_cloud.port)[1][role, action] > before)
        assert role in HOLDS_UP_NOTHING or not moved(pipeline, key)
    ended = pipeline.batch_of(key)
    if ended["status"] != "COMPLETED":
        again = ecp(
            *("redrive", ended["batch_id"], "--wait"),
            directory=tmp_path,
            environment=taken_on(pipeline, OPERATOR),
        )
        assert again.exit_code == 0, again.err
    eventually(lambda: moved(pipeline, key))


def test_a_role_may_append_to_its_own_streams_alone(
    running_cloud: RunningCloud, pipeline: Pipeline
) -> None:
    before = asked(running_cloud.port)[1]["lock-Role", "dynamodb:Query"]
    with elsewhere(pipeline, "lock-Role", "lock/*", "archive/*"):
        key = upload(pipeline, "another-stream")
        eventually(lambda: asked(running_cloud.port)[1]["lock-Role", "dynamodb:Query"] > before)
    assert pipeline.batch_of(key)["status"] in ("COMPLETED", "FAILED")


@pytest.mark.parametrize(
    ("role", "may", "refused"),
    [
        (
            READER,
            (*LOOKS, "kpis orders", "query 'select 1'", "waiting", "freshness"),
            ("quarantine list", "rebuild"),
        ),
        (CORRECTOR, (*LOOKS, "quarantine list"), ("rebuild", "verify")),
        (OPERATOR, (*LOOKS, "quarantine list", "verify", "rebuild", "api rebuild"), ()),
    ],
)
def test_a_person_may_give_the_commands_of_the_role_and_no_others(
    pipeline: Pipeline,
    tmp_path: Path,
    role: str,
    may: tuple[str, ...],
    refused: tuple[str, ...],
) -> None:
    environment = taken_on(pipeline, role)

    def said(command: str) -> Said:
        return ecp(*shlex.split(command), directory=tmp_path, environment=environment)

    assert {command: said(command).err for command in may if said(command).exit_code != 0} == {}
    for command in refused:
        answer = said(command)
        assert (answer.exit_code, "was denied" in answer.err) == (3, True), answer
