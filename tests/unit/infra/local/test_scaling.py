"""How many workers are wanted, minute by minute; the numbers are those of the templates."""

import re

import pytest

from infra.local.scaling import COOLDOWN_SECONDS, MORE_AT_ONCE, Numbers, Scaling, Seen
from tests.contract.declared import PROJECT, Template

NUMBERS = Numbers(min_workers=0, max_workers=4, wait_minutes=3, idle_minutes=5, many_commands=10)
MINUTE = 60.0
POLICIES = "AWS::ApplicationAutoScaling::ScalingPolicy"


def template_of(service: str) -> Template:
    return Template(PROJECT / f"services/{service}/template.yaml")


def minutes(
    scaling: Scaling, *, waiting: int = 0, in_hand: int = 0, wanted: int, count: int, at: float = 0
) -> list[int]:
    """What is wanted in each of so many minutes; what is wanted runs a minute later."""
    said = []
    for number in range(count):
        seen = Seen(waiting, in_hand, wanted=wanted, running=wanted)
        wanted = scaling.wanted(seen, (at + number) * MINUTE)
        said.append(wanted)
    return said


def test_commands_that_wait_for_three_minutes_add_one_and_after_a_pause_another() -> None:
    said = minutes(Scaling(NUMBERS), waiting=1, in_hand=1, wanted=0, count=14)
    assert said == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]
    assert minutes(Scaling(NUMBERS), waiting=1, wanted=4, count=9)[-1] == 4, "and never more"


def test_many_commands_add_three_at_once() -> None:
    assert minutes(Scaling(NUMBERS), waiting=10, wanted=0, count=4) == [0, 0, 0, 3]
    assert minutes(Scaling(NUMBERS), waiting=9, wanted=0, count=4) == [0, 0, 0, 1]


def test_commands_that_are_taken_meanwhile_add_nobody() -> None:
    """A container takes two minutes to come; then one is enough."""
    scaling = Scaling(NUMBERS)
    assert minutes(scaling, waiting=2, wanted=1, count=3) == [1, 1, 1]
    assert minutes(scaling, in_hand=1, wanted=1, count=1, at=3) == [1]
    assert minutes(scaling, waiting=1, in_hand=1, wanted=1, count=3, at=4) == [1, 1, 1]


def test_nothing_waiting_nor_in_hand_for_five_minutes_stops_all() -> None:
    scaling = Scaling(NUMBERS)
    assert minutes(scaling, wanted=3, count=6) == [3, 3, 3, 3, 3, 0]
    assert minutes(Scaling(NUMBERS), in_hand=1, wanted=1, count=9)[-1] == 1


def test_what_was_started_is_not_stopped_before_it_runs() -> None:
    """An alarm that rang all night would undo every start (decision 0036)."""
    scaling = Scaling(NUMBERS)
    for minute in range(60):
        assert scaling.wanted(Seen(0, 0, wanted=0, running=0), minute * MINUTE) == 0
    for minute in range(60, 70):
        assert scaling.wanted(Seen(0, 0, wanted=1, running=0), minute * MINUTE) == 1


def test_where_one_stays_it_is_wanted_from_the_beginning_and_in_the_end() -> None:
    one = Numbers(min_workers=1, max_workers=4, wait_minutes=3, idle_minutes=5, many_commands=10)
    assert minutes(Scaling(one), wanted=0, count=1) == [1]
    assert minutes(Scaling(one), wanted=3, count=6)[-1] == 1


@pytest.mark.parametrize(("service", "most"), [("validator", 4), ("transformer", 1)])
def test_the_numbers_are_those_that_application_auto_scaling_is_given(
    service: str, most: int
) -> None:
    template = template_of(service)
    defaults = {
        name: one["Default"]
        for name, one in template.document["Parameters"].items()
        if "Default" in one
    }
    [text] = [
        one["Value"]["Fn::Sub"]
        for one in template.of_type("AWS::SSM::Parameter").values()
        if str(one["Name"]).endswith("/scaling")
    ]
    published = Numbers.of(re.sub(r"\$\{(\w+)\}", lambda found: str(defaults[found[1]]), text))
    assert published == Numbers(0, most, wait_minutes=3, idle_minutes=5, many_commands=10)
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    assert alarms["CommandsWaitAlarm"]["EvaluationPeriods"] == {"Ref": "WaitMinutes"}
    assert alarms["IdleAlarm"]["EvaluationPeriods"] == {"Ref": "IdleMinutes"}
    [target] = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget").values()
    assert target["MinCapacity"] == {"Ref": "MinWorkers"}
    assert target["MaxCapacity"] in (most, {"Ref": "MaxWorkers"})
    more = template.of_type(POLICIES)["MoreWorkers"]["StepScalingPolicyConfiguration"]
    assert more["Cooldown"] == COOLDOWN_SECONDS
    assert more["AdjustmentType"] == "ChangeInCapacity"
    steps = [one["ScalingAdjustment"] for one in more["StepAdjustments"]]
    assert steps == ([1, MORE_AT_ONCE] if most > 1 else [1])
    if most > 1:
        [first, second] = more["StepAdjustments"]
        bound = {"Ref": "ManyCommands"}
        assert first["MetricIntervalUpperBound"] == second["MetricIntervalLowerBound"] == bound
    none = template.of_type(POLICIES)["NoWorkers"]["StepScalingPolicyConfiguration"]
    assert none["AdjustmentType"] == "ExactCapacity"
    assert [one["ScalingAdjustment"] for one in none["StepAdjustments"]] == [{"Ref": "MinWorkers"}]
