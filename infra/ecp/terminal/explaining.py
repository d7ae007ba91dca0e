"""What went wrong as one clear line and an exit code; how it is printed is in `output.py`.

Loaded once something did go wrong.
"""

import errno
from typing import Any

from botocore import exceptions as boto
from pydantic import ValidationError

from contracts.errors import ContractViolation, DataRejected, PipelineError
from infra.ecp.settings import CliSettings
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from infra.errors import UnknownName

_MISSING = frozenset(
    {
        "ParameterNotFound",
        "ResourceNotFoundException",
        "NoSuchBucket",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "StateMachineDoesNotExist",
    }
)
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "RequestExpired",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_NO_INDEX = "The table does not have the specified index"
_UNFINISHED_INDEX = "Cannot read from backfilling global secondary index"
_UNREACHABLE = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ReadTimeoutError,
    boto.ConnectionClosedError,
    boto.ProxyConnectionError,
    boto.SSLError,
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.SSOTokenLoadError,
)


def explain(error: BaseException) -> tuple[str, ExitCode]:
    """The line and the exit code for any exception that reached the top of a command."""
    match error:
        case CommandFailed():
            return str(error), error.exit_code
        case KeyboardInterrupt():
            return "interrupted", ExitCode.INTERRUPTED
        case DataRejected():
            return str(error), ExitCode.DATA_REJECTED
        case boto.ClientError():
            return _explain_client_error(error), ExitCode.SYSTEM_FAILED
        case boto.BotoCoreError():
            return _explain_boto(error), ExitCode.SYSTEM_FAILED
        case ContractViolation():
            return f"{_one_line(error)} (is this ecp as new as the cloud?)", ExitCode.SYSTEM_FAILED
        case UnknownName():
            return str(error), ExitCode.WRONG_USAGE
        case PipelineError():
            return (str(error).split("\n")[0] or "no message"), ExitCode.SYSTEM_FAILED
        case ValidationError() if error.title == CliSettings.__name__:
            return _explain_settings(error), ExitCode.WRONG_USAGE
        case OSError() if error.errno == errno.ENOSPC:
            where = f"{error.filename}: " if error.filename else "the output could not be written: "
            said = "no space left on device; free some, then run it again"
            return where + said, ExitCode.SYSTEM_FAILED
        case OSError() if error.filename is not None:
            line = f"{error.filename}: {(error.strerror or 'cannot be used').lower()}"
            return line, ExitCode.SYSTEM_FAILED
    return (
        f"{type(error).__name__}: {_one_line(error) or 'no message'} "
        "(unforeseen; `ecp --debug ...` shows where)"
    ), ExitCode.SYSTEM_FAILED


def evidence(error: BaseException) -> list[str]:
    """What a fault of ours says after its first line: the end of a log, what pip wrote."""
    return str(error).split("\n")[1:] if isinstance(error, PipelineError) else []


def _explain_client_error(error: Any) -> str:
    code = error.response.get("Error", {}).get("Code", "Unknown")
    said = error.response.get("Error", {}).get("Message", "").strip()
    call = error.operation_name
    if code in _MISSING:
        return (
            f"{call}: {said or code}: the pipeline is not deployed in this account and region; "
            "run `ecp deploy` (or `ecp up` for a local cloud)"
        )
    if code == "ValidationException" and said.startswith(_NO_INDEX):
        return f"{said}: the pipeline is older than this ecp: run `ecp deploy`, then this again"
    if code == "ValidationException" and said.startswith(_UNFINISHED_INDEX):
        return f"{said}: AWS is still making it; try again in some minutes"
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept these credentials ({code}): sign in again or set AWS_PROFILE"
    if code in _DENIED:
        return f"{call} was denied: {said or code}; use a profile that may do this"
    return f"{call} failed: {code}: {said}" if said else f"{call} failed: {code}"


def _explain_boto(error: Any) -> str:
    if isinstance(error, _UNREACHABLE):
        from infra.ecp.target import local_trouble

        endpoint = error.kwargs.get("endpoint_url") or ""
        if "127.0.0.1" in endpoint and (trouble := local_trouble()):
            return trouble
        return (
            f"cannot reach the cloud at {endpoint or 'its endpoint'}: is it running? "
            "`ecp up` starts a local one; AWS_ENDPOINT_URL says where ecp looks"
        )
    if isinstance(error, _NO_CREDENTIALS):
        return (
            f"no AWS credentials ({_one_line(error)}): set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY (`ecp up` prints those of the local cloud)"
        )
    if isinstance(error, boto.ProfileNotFound):
        return f"{_one_line(error)}: `aws configure list-profiles` lists those that exist"
    if isinstance(error, boto.NoRegionError):
        return "no AWS region: set AWS_REGION"
    return _one_line(error)


def _explain_settings(error: ValidationError) -> str:
    first = error.errors()[0]
    setting = f"{CliSettings.model_config['env_prefix']}{first['loc'][0]}".upper()
    return f"{setting}={first['input']}: {first['msg'].lower()}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
