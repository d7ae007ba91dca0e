"""SSM parameters that may not be there yet."""

from typing import Any

from botocore.exceptions import ClientError


def parameter_if_any(ssm: Any, name: str) -> str | None:
    """The value of a parameter, None when there is none of that name."""
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return None
