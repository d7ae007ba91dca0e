"""Every service is what its service.yaml says, and the services' lists fit each other."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract import service_checks as checks
from tests.contract.declared import (
    COMMANDS,
    EVENTS,
    PROJECT,
    SAGA,
    Service,
    Template,
    commands_of,
    sent_by_people,
    services,
    templates,
)

SERVICES = services()
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
each_template = pytest.mark.parametrize(
    "template", templates(), ids=lambda template: str(template.path.relative_to(PROJECT))
)


def emitters() -> dict[str, str]:
    """The service that emits an event, by event type."""
    return {name: service.name for service in SERVICES for name in service.types("emits", "events")}


def saga_commands() -> dict[str, tuple[str, str]]:
    return commands_of(json.loads(SAGA.read_text()))


def test_every_service_that_is_deployed_is_held_to_its_word() -> None:
    names = {path.parent.name for path in PROJECT.glob("services/*/template.yaml")}
    assert names >= {"aggregator", "archiver", "lock", "relay", "transformer", "validator"}
    assert {service.name for service in SERVICES} == names
    assert {service.declaration["service"] for service in SERVICES} == names


@each_service
def test_a_service_owns_what_its_template_makes(service: Service) -> None:
    assert list(checks.declaration_faults(service)) == []


@each_service
def test_a_service_takes_and_makes_the_messages_that_it_lists(service: Service) -> None:
    assert list(checks.code_faults(service)) == []


@each_service
def test_a_services_rules_can_match_and_reach_its_queues(service: Service) -> None:
    assert list(checks.rule_faults(service, emitters())) == []


@each_template
def test_every_queue_has_a_dead_letter_queue_and_that_an_alarm(template: Template) -> None:
    assert list(checks.queue_faults(template)) == []


@each_template
def test_every_alarm_says_something_to_somebody(template: Template) -> None:
    assert list(checks.alarm_faults(template)) == []


@pytest.mark.parametrize("what", ["streams", "tables", "queues"])
def test_nothing_has_two_owners(what: str) -> None:
    owned = [thing for service in SERVICES for thing in service.owned(what)]
    assert sorted(owned) == sorted(set(owned))


def test_no_two_services_write_under_one_prefix_of_the_data_bucket() -> None:
    """Under processing/ the aggregator, validator and transformer have keys of their own."""
    written = [
        prefix
        for service in SERVICES
        for prefix in service.declaration["owns"]["prefixes"]["write"]
    ]
    shared = {prefix for prefix in written if written.count(prefix) > 1}
    assert shared <= {"processing/"}


def test_every_event_has_one_service_that_emits_it_and_every_schema_is_used() -> None:
    emitted = [name for service in SERVICES for name in service.types("emits", "events")]
    assert sorted(emitted) == sorted(EVENTS)


def test_every_event_that_is_consumed_is_emitted_in_that_version() -> None:
    emitted = {entry for service in SERVICES for entry in service.lists("emits", "events")}
    consumed = {entry for service in SERVICES for entry in service.lists("consumes", "events")}
    assert consumed - emitted == set()


def test_every_command_has_one_owner() -> None:
    consumed = [name for service in SERVICES for name in service.types("consumes", "commands")]
    assert sorted(consumed) == sorted(COMMANDS)


def test_every_command_is_sent_by_the_saga_by_ecp_or_by_a_service() -> None:
    by_saga = {command for command, _queue in saga_commands().values()}
    by_services = {name for service in SERVICES for name in service.types("emits", "commands")}
    assert by_saga | sent_by_people() | by_services == COMMANDS


@pytest.mark.parametrize("state", saga_commands())
def test_the_saga_sends_each_command_to_the_queue_of_its_owner(state: str) -> None:
    command, substitution = saga_commands()[state]
    parameter = Template(PROJECT / "infra/stacks/saga.yaml").document["Parameters"][substitution]
    owner = parameter["Default"].split("/")[2]
    [service] = [service for service in SERVICES if service.name == owner]
    assert parameter["Default"] == f"/ecommerce-pipeline/{owner}/command-queue-url"
    assert command in service.types("consumes", "commands")


@pytest.mark.parametrize(
    "service",
    [service for service in SERVICES if service.types("consumes", "commands")],
    ids=lambda service: service.name,
)
def test_a_service_publishes_its_command_queue_under_its_name(service: Service) -> None:
    published = {
        parameter["Name"]: parameter["Value"]
        for parameter in service.template.of_type("AWS::SSM::Parameter").values()
    }
    path = f"/ecommerce-pipeline/{service.name}/command-queue-"
    logical = published[path + "url"]["Ref"]
    assert published[path + "arn"] == {"Fn::GetAtt": f"{logical}.Arn"}
    assert service.template.queues[logical] == f"{service.name}-commands"


# -- the checks themselves: a copy with one mistake is found out ------------------------------


def found_in(folder: Path) -> Iterator[str]:
    copy = Service(folder)
    yield from checks.declaration_faults(copy)
    yield from checks.code_faults(copy)
    yield from checks.rule_faults(copy, emitters())
    yield from checks.queue_faults(copy.template)
    yield from checks.alarm_faults(copy.template)


Copied = Callable[[str], Path]


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(PROJECT / "services" / name, tmp_path / name))

    return copy


@pytest.mark.parametrize("name", ["lock", "archiver"])
def test_a_faithful_copy_has_no_fault(copied: Copied, name: str) -> None:
    assert list(found_in(copied(name))) == []


TEMPLATE, DECLARATION, HANDLER, DOMAIN = "template.yaml", "service.yaml", "handler.py", "domain.py"


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "fault"),
    [
        ("lock", DECLARATION, "lock-events]", "lock-notices]", "queues: ['lock-notices']"),
        ("lock", DECLARATION, "[ProcessingLockTable]", "[]", "tables: ['ProcessingLockTable']"),
        ("lock", DECLARATION, "  - lock-commands-are-late\n", "", "alarms: ['lock-commands-are"),
        ("lock", DECLARATION, '["lock/*"]', '["locks/*"]', "streams: ['locks/*']"),
        ("lock", DECLARATION, "ExtendLease v1]", "]", "consumes: ['ExtendLease'] there"),
        ("lock", DECLARATION, "ExtendLease v1]", "ExtendLease v2]", "no schema commands/ExtendLea"),
        ("lock", DECLARATION, "    - WaiterSkipped v1\n", "", "emits: ['WaiterSkipped'] there"),
        ("lock", DECLARATION, "events: []", "events: [BatchFailed v1]", "subscriptions: ['BatchF"),
        ("lock", HANDLER, '"ExtendLease": l', '"ReleaseLocks": l', "consumes: ['ExtendLease'] dec"),
        ("lock", DOMAIN, "return LeaseExtended(", "return LockQueued(", "emits: ['LeaseExtended']"),
        ("lock", TEMPLATE, "[aws.states]", "[aws.stepfunctions]", "source of Step Functions"),
        ("lock", TEMPLATE, "[SUCCEEDED, FAILED,", "[SUCCESS, FAILED,", "detail.status of Step"),
        ("lock", TEMPLATE, "          stateMachineArn:", "          machineArn:", "no detail.mach"),
        ("lock", TEMPLATE, "[!GetAtt ExecutionEndedRule.Arn, ", "[", "does not let it send"),
        ("lock", TEMPLATE, "DeadLetterConfig:", "Kept:", "events is lost"),
        ("lock", TEMPLATE, "                  - !GetAtt SweepRule.Arn\n", "", "does not let it"),
        ("lock", TEMPLATE, '"dynamodb:LeadingKeys": ["lock/*"]', "a: []", "streams: ['lock"),
        ("lock", TEMPLATE, "EventsDeadLetterQueue.QueueName", "EventsQueue.QueueName", "no alarm"),
        ("lock", TEMPLATE, "${StagePrefix}lock-events-dlq", "notices-dlq", "must be "),
        ("lock", TEMPLATE, "AlarmActions: [!Ref NotificationTopicArn]", "A: 1", "tells nobody"),
        ("archiver", DECLARATION, "incoming/, processing/", "incoming/", "['processing/'] granted"),
        ("archiver", DECLARATION, "write: [archive/]", "write: []", "prefixes.write: ['archive/']"),
    ],
)  # fmt: skip
def test_a_mistake_is_found(
    copied: Copied, name: str, file: str, old: str, new: str, fault: str
) -> None:
    folder = copied(name)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    assert [found for found in found_in(folder) if fault in found]


def test_a_rule_for_what_nobody_emits_or_never_says_is_found(copied: Copied) -> None:
    folder = copied("lock")
    text = (folder / TEMPLATE).read_text()
    pattern = text[text.index("        source: [aws.states]") : text.index("      Targets:")]
    for detail_type, source, detail, fault in [
        ("BatchVanished", "aggregator", "", "BatchVanished is never on that bus"),
        ("LockGranted", "lock", "", "nobody emits LockGranted"),
        ("BatchFailed", "lock", "", "source of BatchFailed is never"),
        ("BatchFailed", "aggregator", "data: {attempt: [0]}", "detail.data.attempt of BatchFailed"),
        ("BatchFailed", "aggregator", "data: {batch_id: [x]}", "detail.data.batch_id of Batch"),
    ]:
        ours = (
            f"        source: [ecommerce-pipeline/{source}]\n        detail-type: [{detail_type}]\n"
        )
        ours += f"        detail: {{{detail}}}\n" if detail else ""
        changed = text.replace(pattern, ours).replace(
            "      Name: !Sub ${StagePrefix}lock-execution-ended", "      EventBusName: bus", 1
        )
        (folder / TEMPLATE).write_text(changed)
        known = {"BatchFailed": "aggregator"}
        faults = list(checks.rule_faults(Service(folder), known))
        assert [found for found in faults if fault in found], (fault, faults)
