"""Credentials of its task role for each worker, handed out as ECS does: asked for over HTTP.

Any AWS client asks AWS_CONTAINER_CREDENTIALS_FULL_URI with its token when it has no keys, and asks
again before they expire. A worker's token opens its own role alone.
"""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from contracts.clock import to_rfc3339

CREDENTIALS_PATH = "/_ecp/credentials/"
KEY_VARIABLE = "ECP_TASK_KEY"
"""Hands the server the key that tokens are made with."""
LIFETIME_SECONDS = 3600.0


def new_key() -> str:
    return secrets.token_hex(32)


def token_of(key: str, role: str) -> str:
    """What the worker of a role proves itself with."""
    return hmac.new(key.encode(), role.encode(), hashlib.sha256).hexdigest()


def worker_environment(endpoint: str, key: str, role_arn: str) -> dict[str, str]:
    """The variables by which a worker finds its credentials, and none of this machine's users."""
    role = role_arn.rpartition("/")[2]
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint}{CREDENTIALS_PATH}{role}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": token_of(key, role),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def credentials(role: str, account: str) -> Mapping[str, str]:
    """New ones of a role, which MiniStack knows from now on, in the words of ECS."""
    from ministack.services import sts

    access_key = f"ASIA{secrets.token_hex(8).upper()}"
    secret, session_token = secrets.token_hex(20), secrets.token_hex(32)
    expires_at = time.time() + LIFETIME_SECONDS
    sts.register_session(
        access_key,
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/task",
            "UserId": f"{role}:task",
            "SecretAccessKey": secret,
            "SessionToken": session_token,
            "Expiration": expires_at,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        },
    )
    return {
        "RoleArn": f"arn:aws:iam::{account}:role/{role}",
        "AccessKeyId": access_key,
        "SecretAccessKey": secret,
        "Token": session_token,
        "Expiration": to_rfc3339(datetime.fromtimestamp(expires_at, UTC)),
    }


def is_of(key: str, role: str, token: str) -> bool:
    """Whether whoever asks has the token of that role."""
    return bool(key) and hmac.compare_digest(token_of(key, role).encode(), token.encode())
