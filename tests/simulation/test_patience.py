"""Waiting is not dying: loads that wait for long, on the real saga, lock, leases and workers.

Step Functions counts HeartbeatSeconds and TimeoutSeconds from when a task is scheduled, that is
from when its command is in the queue (developer guide, Task workflow state), and counts events and
bytes (Quotas); `saga.py`, `step_functions.py` and `history.py` hold the definition to that. The
containers are those of services that are scaled each minute by what is in the queue.
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
    _, ours = played(load, definition)
    assert ours.history.types["TaskTimedOut"] == 0


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


def test_one_container_is_started_where_one_is_enough() -> None:
    """A transformer that has just published goes on with the next batch."""
    stage, _ = played(Load(files=10, seconds_a_file=1))
    assert stage.containers.started == {"validator": 2, "transformer": 1}


def test_who_scales_sooner_than_a_container_comes_starts_one_too_many() -> None:
    stage = Stage(Load(files=10, seconds_a_file=1), wait_minutes=1)
    stage.play()
    assert stage.containers.started["validator"] > 2


SEVERAL = Load(files=200, seconds_a_file=120)


def test_a_set_of_many_files_is_validated_by_several() -> None:
    stage, _ = played(SEVERAL)
    assert stage.containers.most == {"validator": 4, "transformer": 1}
    alone = SEVERAL.files * SEVERAL.seconds_a_file
    assert stage.validated_at < alone / 2


def test_with_two_files_in_flight_no_more_than_two_find_work() -> None:
    stage = Stage(SEVERAL, edited(("ValidateFiles", "MaxConcurrency", 2)))
    stage.play()
    assert stage.containers.most["validator"] <= 2


def test_where_there_is_room_for_one_only_one_does_it_all() -> None:
    """Four are wanted, and ECS goes on trying; files in flight are as many as run."""
    stage, ours = played(Load(files=60, seconds_a_file=120, room=1))
    assert stage.containers.most_wanted["validator"] == 4
    assert stage.containers.most["validator"] == 1
    assert ours.history.types["TaskTimedOut"] == 0


def test_files_in_flight_for_containers_that_did_not_come_run_out_of_time() -> None:
    mistake = deepcopy(saga.definition())
    look = dict(states_in(mistake))["LookForValidators"]
    look["Output"]["validators"] = "{% $states.result.Services[0].DesiredCount %}"
    with pytest.raises(AssertionError):
        in_peace(Load(files=60, seconds_a_file=280, room=1), mistake)


REFUSED = Load(files=10, seconds_a_file=60, living=True)


def test_a_batch_is_completed_where_every_start_is_refused_and_a_worker_lives() -> None:
    _, ours = played(REFUSED)
    assert ours.history.types["TaskFailed"] > 0


@pytest.mark.parametrize("name", ["LookForValidators", "StartTransformer"])
def test_a_refusal_that_nobody_catches_fails_the_batch(name: str) -> None:
    definition = deepcopy(saga.definition())
    del dict(states_in(definition))[name]["Catch"]
    assert Stage(REFUSED, definition).play().status == "FAILED"


def test_a_batch_of_which_every_file_fails_once_stays_far_below_the_largest_history() -> None:
    load = Load(MAX_BATCH_FILES, seconds_a_file=1, failures=lambda _: 1)
    _, ours = played(load)
    assert ours.history.types["TaskFailed"] == MAX_BATCH_FILES
    assert ours.history.events <= 13_000


@pytest.mark.parametrize("seconds_a_file", [1, 300])
def test_a_container_that_never_comes_costs_a_wait_and_not_the_lock(seconds_a_file: int) -> None:
    """ECS starts the next; nobody has to notice its silence."""
    stage, ours = played(Load(10, seconds_a_file, stillborn=frozenset({1})))
    assert stage.containers.started["validator"] >= 3
    assert ours.history.types["TaskTimedOut"] == 0


@pytest.mark.parametrize("load", [FIVE_MINUTES, MANY], ids=["long", "short"])
def test_a_worker_that_dies_in_the_middle_costs_one_slice_and_not_the_lock(load: Load) -> None:
    dying = Load(load.files, load.seconds_a_file, dies_at=600)
    stage, ours = played(dying)
    assert stage.containers.started["validator"] > 2
    assert ours.history.types["MapIterationStarted"] <= load.files + 3 * 25


def test_what_fails_for_good_is_given_up_and_the_lock_goes_on() -> None:
    stage = Stage(Load(60, seconds_a_file=1, failures=lambda index: 99 * (index == 55)))
    ours = stage.play()
    assert ours.status == "FAILED"
    assert "ValidateBatch failed with Transient: file 55" in ours.cause
    assert ours.history.types["ParallelStateFailed"] == 3, "once, and two repeats"
    assert (stage.rival.status, stage.recovered) == ("SUCCEEDED", [])


def test_the_worst_history_is_what_the_definition_says() -> None:
    """Each file of two slices fails as often as it may, and the last one once more."""
    load = Load(50, seconds_a_file=1, failures=lambda index: 3 + (index == 49))
    _, ours = played(load)
    most = saga_history.most_events(saga.definition(), 50)
    spare = saga_history.most_events(saga.definition(), 25) - saga_history.most_events(
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
    [("took", Load(MAX_BATCH_FILES, seconds_a_file=4)), ("__call__", FIVE_MINUTES)],
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


@pytest.mark.parametrize("size", [10_200, 10_600])
def test_what_is_over_256_kib_ends_the_execution_and_nobody_catches_it(size: int) -> None:
    """Outputs of a slice together: 25 * 10,485 are 262,144 bytes."""
    definition = deepcopy(saga.definition())
    dict(states_in(definition))["ValidateFile"]["Output"]["pad"] = "x" * size
    ours = Stage(Load(25, seconds_a_file=1), definition).play()
    assert ours.status == ("SUCCEEDED" if size < 10_400 else "FAILED")
    assert ("States.DataLimitExceeded" in ours.cause) == (size > 10_400)


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
