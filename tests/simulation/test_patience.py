"""Waiting is not dying: loads that wait for long, on the real saga, lock, leases and workers.

Step Functions counts HeartbeatSeconds and TimeoutSeconds from when a task is scheduled, that is
from when its command is in the queue (developer guide, Task workflow state), and counts events and
bytes (Quotas); `saga.py`, `step_functions.py` and `history.py` hold the definition to that. What
wakes containers beside the saga (`validator-commands-wait`) is not played: it can only help.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from services.aggregator.open_set.domain import MAX_BATCH_FILES
from services.runtime.messaging.lease_heartbeat import LeaseHeartbeat
from services.transformer.settings import Settings
from services.validator.settings import ValidatorSettings
from tests.contract import saga_history
from tests.contract.declared import PROJECT, Service, states_in
from tests.simulation import history, saga
from tests.simulation.stage import HEARTBEAT_SECONDS, LEASE, Load, Stage
from tests.simulation.step_functions import Execution

pytestmark = pytest.mark.usefixtures("simulation")

FIVE_MINUTES = Load(files=10, seconds_a_file=300)
MANY = Load(files=MAX_BATCH_FILES, seconds_a_file=1)
Definition = dict[str, Any]


def played(load: Load, definition: Definition | None = None) -> tuple[Stage, Execution]:
    """Both batches COMPLETED, one after the other, and the lock never taken from anybody."""
    stage = Stage(load, definition)
    ours = stage.play()
    assert (ours.status, ours.output and ours.output["outcome"]) == ("SUCCEEDED", "COMPLETED"), (
        ours.cause
    )
    assert stage.recovered == []
    assert stage.rival.status == "SUCCEEDED"
    return stage, ours


def in_peace(load: Load, definition: Definition | None = None) -> None:
    """Besides, nothing that only waited was taken for dead: no try of any task ran out of time."""
    stage, ours = played(load, definition)
    assert ours.history.types["TaskTimedOut"] == 0
    assert stage.containers.woken == {"validator": 2, "transformer": 2}, "one for each batch"


@pytest.mark.parametrize(
    "load",
    [
        FIVE_MINUTES,
        MANY,
        Load(files=1, seconds_a_file=3600, transform_seconds=3600),
        Load(files=60, seconds_a_file=470),
    ],
    ids=["ten of five minutes", "a thousand of a second", "hours", "over fifty long ones"],
)
def test_one_worker_is_enough_however_long_the_rest_has_to_wait(load: Load) -> None:
    in_peace(load)


def test_a_batch_of_which_every_file_fails_once_stays_far_below_the_largest_history() -> None:
    load = Load(MAX_BATCH_FILES, seconds_a_file=1, failures=lambda _: 1)
    _, ours = played(load)
    assert ours.history.types["TaskFailed"] == MAX_BATCH_FILES
    assert ours.history.events <= 13_000


@pytest.mark.parametrize("seconds_a_file", [1, 300])
def test_a_container_that_never_comes_costs_a_wait_and_not_the_lock(seconds_a_file: int) -> None:
    """Two minutes for it, ten until its silence is noticed, two for the next."""
    stage, _ = played(Load(10, seconds_a_file, stillborn=frozenset({1})))
    assert stage.containers.woken["validator"] == 3


@pytest.mark.parametrize("load", [FIVE_MINUTES, MANY], ids=["long", "short"])
def test_a_worker_that_dies_in_the_middle_costs_one_slice_and_not_the_lock(load: Load) -> None:
    dying = Load(load.files, load.seconds_a_file, dies_at=600)
    stage, ours = played(dying)
    assert ours.history.types["TaskTimedOut"] > 0
    assert stage.containers.woken["validator"] > 2
    assert ours.history.types["MapIterationStarted"] <= load.files + 3 * 50


def test_what_fails_for_good_is_given_up_and_the_lock_goes_on() -> None:
    stage = Stage(Load(60, seconds_a_file=1, failures=lambda index: 99 * (index == 55)))
    ours = stage.play()
    assert ours.status == "FAILED"
    assert "ValidateBatch failed with Transient: file 55" in ours.cause
    assert ours.history.types["ParallelStateFailed"] == 3, "once, and two repeats"
    assert (stage.rival.status, stage.recovered) == ("SUCCEEDED", [])


def test_the_worst_history_is_what_the_definition_says() -> None:
    """Each file of two slices fails as often as it may, and the last one once more."""
    load = Load(100, seconds_a_file=1, failures=lambda index: 3 + (index == 99))
    _, ours = played(load)
    most = saga_history.most_events(saga.definition(), 100)
    spare = saga_history.most_events(saga.definition(), 50) - saga_history.most_events(
        saga.definition(), 1
    )
    assert most - 2 * spare - 700 < ours.history.events <= most


def edited(*edits: tuple[str, str, Any]) -> Definition:
    """The definition with these fields of these states changed."""
    definition = deepcopy(saga.definition())
    states = dict(states_in(definition))
    for name, field, value in edits:
        states[name][field] = value
    return definition


@pytest.mark.parametrize(
    ("load", "mistake"),
    [
        (FIVE_MINUTES, ("ValidateFile", "HeartbeatSeconds", 240)),
        (FIVE_MINUTES, ("ValidateFile", "TimeoutSeconds", 550)),
        (FIVE_MINUTES, ("ValidateFiles", "MaxConcurrency", 10)),
        (FIVE_MINUTES, ("Transform", "HeartbeatSeconds", 100)),
        (FIVE_MINUTES, ("Transform", "TimeoutSeconds", 700)),
    ],
    ids=lambda one: " ".join(map(str, one)) if isinstance(one, tuple) else "",
)
def test_less_patience_is_noticed(load: Load, mistake: tuple[str, str, Any]) -> None:
    with pytest.raises(AssertionError):
        in_peace(load, edited(mistake))


@pytest.mark.parametrize(
    ("deaf", "load"),
    [("took", MANY), ("__call__", FIVE_MINUTES)],
    ids=["many short ones", "few long ones"],
)
def test_a_lease_that_is_not_extended_is_lost_to_the_next_in_line(
    deaf: str, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short messages are over before the first heartbeat, long ones are taken too seldom."""
    monkeypatch.setattr(LeaseHeartbeat, deaf, lambda *_: None)
    stage = Stage(load)
    stage.play()
    assert [one.reason for one in stage.recovered][:1] == ["LEASE_EXPIRED"]


def test_a_history_that_is_full_ends_the_execution_and_nobody_catches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "MAX_EVENTS", 2_000)
    ours = Stage(Load(100, seconds_a_file=1, failures=lambda _: 3)).play()
    assert ours.status == "FAILED"
    assert "maximum number of history events" in ours.cause
    assert ours.history.events < 2_010, "what is stopped is written down, and the end"


@pytest.mark.parametrize("size", [5_100, 5_300])
def test_what_is_over_256_kib_ends_the_execution_and_nobody_catches_it(size: int) -> None:
    """Fifty outputs of a slice together: 50 * 5,242 are 262,144 bytes."""
    definition = deepcopy(saga.definition())
    dict(states_in(definition))["ValidateFile"]["Output"]["pad"] = "x" * size
    ours = Stage(Load(50, seconds_a_file=1), definition).play()
    assert ours.status == ("SUCCEEDED" if size < 5_200 else "FAILED")
    assert ("States.DataLimitExceeded" in ours.cause) == (size > 5_200)


def test_bytes_are_counted_as_utf_8() -> None:
    assert history.payload_bytes("é") == len('"é"'.encode()) == 4
    assert history.payload_bytes({"a": [1, None]}) == len(json.dumps({"a": [1, None]})) - 2


def test_the_stage_is_set_as_aws_is() -> None:
    """Its intervals are those that the templates and settings give."""
    for service, settings in (("validator", ValidatorSettings), ("transformer", Settings)):
        template = Service(PROJECT / "services" / service).template
        [definition] = template.of_type("AWS::ECS::TaskDefinition").values()
        environment = {
            one["Name"]: one["Value"]
            for container in definition["ContainerDefinitions"]
            for one in container["Environment"]
        }
        assert float(environment["HEARTBEAT_SECONDS"]) == HEARTBEAT_SECONDS
        assert settings.model_fields["heartbeat_seconds"].default == HEARTBEAT_SECONDS
    assert LEASE.total_seconds() == 900
