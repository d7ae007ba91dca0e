"""Whatever goes wrong ends as one line that says what to do, and the right exit code."""

import pytest
from botocore import exceptions as boto

from contracts.errors import ContractViolation, DataRejected, PipelineError
from infra.ecp.settings import CliSettings
from infra.ecp.terminal.errors import CommandFailed, ExitCode, WrongUsage
from infra.ecp.terminal.explaining import evidence, explain
from infra.errors import DeploymentFailed, UnknownName


def refused(code: str, said: str = "") -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": said}}, "GetParameter")


CASES: list[tuple[BaseException, ExitCode, str]] = [
    (WrongUsage("x: no such file"), ExitCode.WRONG_USAGE, "x: no such file"),
    (CommandFailed("gone"), ExitCode.SYSTEM_FAILED, "gone"),
    (CommandFailed("enough", ExitCode.INTERRUPTED), ExitCode.INTERRUPTED, "enough"),
    (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
    (UnknownName("there is no stack lok"), ExitCode.WRONG_USAGE, "there is no stack lok"),
    (DeploymentFailed("stack lock is gone"), ExitCode.SYSTEM_FAILED, "stack lock is gone"),
    (DataRejected("no header"), ExitCode.DATA_REJECTED, "no header"),
    (ContractViolation("a\nb"), ExitCode.SYSTEM_FAILED, "a b (is this ecp as new as the cloud?)"),
    (refused("ParameterNotFound"), ExitCode.SYSTEM_FAILED, "run `ecp deploy` (or `ecp up`"),
    (refused("ResourceNotFoundException"), ExitCode.SYSTEM_FAILED, "is not deployed"),
    (refused("NoSuchBucket"), ExitCode.SYSTEM_FAILED, "is not deployed"),
    (
        refused("ValidationException", "The table does not have the specified index: by-day"),
        ExitCode.SYSTEM_FAILED,
        "index: by-day: the pipeline is older than this ecp: run `ecp deploy`",
    ),
    (
        refused(
            "ValidationException",
            "Cannot read from backfilling global secondary index: by-day",
        ),
        ExitCode.SYSTEM_FAILED,
        "by-day: AWS is still making it; try again in some minutes",
    ),
    (refused("ExpiredToken"), ExitCode.SYSTEM_FAILED, "sign in again or set AWS_PROFILE"),
    (refused("AccessDenied", "no"), ExitCode.SYSTEM_FAILED, "GetParameter was denied: no"),
    (refused("Odd", "odd"), ExitCode.SYSTEM_FAILED, "GetParameter failed: Odd: odd"),
    (
        boto.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        ExitCode.SYSTEM_FAILED,
        "cannot reach the cloud at http://127.0.0.1:9: is it running?",
    ),
    (boto.NoCredentialsError(), ExitCode.SYSTEM_FAILED, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID"),
    (
        boto.ProfileNotFound(profile="shop"),
        ExitCode.SYSTEM_FAILED,
        "(shop) could not be found: `aws configure list-profiles`",
    ),
    (boto.NoRegionError(), ExitCode.SYSTEM_FAILED, "no AWS region: set AWS_REGION"),
    (
        PermissionError(13, "Permission denied", "/etc/x.csv"),
        ExitCode.SYSTEM_FAILED,
        "/etc/x.csv: permission denied",
    ),
    (KeyError("a"), ExitCode.SYSTEM_FAILED, "KeyError: 'a' (unforeseen; `ecp --debug"),
    (RuntimeError(), ExitCode.SYSTEM_FAILED, "RuntimeError: no message"),
]


@pytest.mark.parametrize(("error", "exit_code", "said"), CASES)
def test_every_fault_is_one_line_with_its_exit_code(
    error: BaseException, exit_code: ExitCode, said: str
) -> None:
    line, code = explain(error)
    assert code is exit_code
    assert said in line
    assert "\n" not in line


def test_the_end_of_a_log_comes_below_the_line_and_not_into_it() -> None:
    failure = DeploymentFailed("the cloud did not start\nline 1\nline 2")
    assert explain(failure)[0] == "the cloud did not start"
    assert evidence(failure) == ["line 1", "line 2"]
    assert evidence(RuntimeError("a\nb")) == []
    assert explain(PipelineError())[0] == "no message"


def test_a_setting_that_cannot_be_read_is_wrong_usage_and_named_as_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ECP_WAIT_SECONDS", "soon")
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 (pydantic's own error)
        CliSettings()
    line, code = explain(refusal.value)
    assert code is ExitCode.WRONG_USAGE
    assert line.startswith("ECP_WAIT_SECONDS=soon: input should be a valid number")


def test_exit_codes_are_those_that_the_readme_promises() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 130]
