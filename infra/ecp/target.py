"""Which cloud a command speaks to, and clients and names there; no command lives here."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.clock import new_event_id, system_clock
from infra.ecp.names import Names
from infra.ecp.terminal.errors import CommandFailed, WrongUsage
from infra.ecp.terminal.output import print_note
from infra.stage import Stage, stage_of

if TYPE_CHECKING:
    from services.runtime.event_store import DynamoDBEventStore
    from services.runtime.storage.documents import S3ObjectStore

NO_CLOUD = "no cloud: run 'ecp up' first, or set AWS_PROFILE/AWS_REGION to use AWS"
DEFAULT_REGION = "us-east-1"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
CREDENTIAL_SETTINGS = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True)
class Choice:
    """The settings of the chosen cloud, and where they came from, for people."""

    environment: Mapping[str, str]
    origin: str
    ignored_local: str | None = None


def choose(
    environment: Mapping[str, str],
    find_local: Callable[[], tuple[str, Mapping[str, str]] | None],
    what_is_wrong: Callable[[], str | None] = lambda: None,
) -> Choice:
    """Decide which cloud is meant.

    An endpoint or credentials in the environment win, then a running local cloud (`find_local`
    gives its endpoint and settings), then a bare region (an instance role). Raises CommandFailed
    when nothing names a cloud (`what_is_wrong` tells of a local one that cannot be used),
    WrongUsage for an endpoint that is no URL.
    """
    if endpoint := environment.get("AWS_ENDPOINT_URL"):
        if not endpoint.startswith(("http://", "https://")):
            raise WrongUsage(f"AWS_ENDPOINT_URL={endpoint}: write it as http://HOST:PORT")
        return Choice(environment, f"AWS_ENDPOINT_URL={endpoint}")
    named = next((name for name in CREDENTIAL_SETTINGS if environment.get(name)), None)
    local = find_local()
    if named is not None:
        shown = f"{named}={environment[named]}" if "PROFILE" in named else named
        return Choice(environment, f"AWS ({shown})", local[0] if local else None)
    if local is not None:
        endpoint, settings = local
        ours = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
        return Choice({**ours, **settings}, f"the local cloud at {endpoint}")
    if environment.get("AWS_REGION"):
        return Choice(environment, f"AWS (AWS_REGION={environment['AWS_REGION']})")
    raise CommandFailed(what_is_wrong() or NO_CLOUD)


@dataclass
class Target:
    """One cloud: its clients, made when first used, and the names of what is deployed there."""

    environment: Mapping[str, str]
    origin: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service_name: str) -> Any:
        """A boto3 client of this cloud with few, quick retries: somebody is waiting."""
        if service_name not in self._clients:
            from botocore.config import Config

            from services.runtime.storage.aws import CALLS_AT_ONCE, for_threads

            config = Config(
                max_pool_connections=CALLS_AT_ONCE,
                retries={"mode": "standard", "max_attempts": 3},
                connect_timeout=5,
                read_timeout=60,
                s3={"addressing_style": "path"} if self.endpoint else None,
            )
            made = self._session.client(service_name, endpoint_url=self.endpoint, config=config)
            self._clients[service_name] = for_threads(made)
        return self._clients[service_name]

    @property
    def endpoint(self) -> str | None:
        """Where the cloud answers when it is not AWS itself."""
        return self.environment.get("AWS_ENDPOINT_URL") or None

    @property
    def stage(self) -> Stage:
        """The stage that is spoken to there."""
        return stage_of(self.environment)

    @cached_property
    def names(self) -> Names:
        """Names of the deployed stacks' resources."""
        return Names(self.client("ssm"), self.stage)

    @cached_property
    def event_store(self) -> "DynamoDBEventStore":
        """The event store, for reading."""
        from services.runtime.event_store import DynamoDBEventStore

        return DynamoDBEventStore(
            self.client("dynamodb"), self.names.event_store_table, system_clock, new_event_id
        )

    @cached_property
    def objects(self) -> "S3ObjectStore":
        """Documents that events refer to."""
        from services.runtime.storage.documents import S3ObjectStore

        return S3ObjectStore(self.client("s3"))

    @cached_property
    def facts(self) -> Any:
        """The catalog of the facts tables, for reading (pyiceberg, 0.5 s to load)."""
        from pyiceberg.catalog import load_catalog

        from services.runtime.storage.aws import for_threads

        credentials = self._session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
        settings = {
            "client.region": self._session.region_name,
            "client.access-key-id": frozen and frozen.access_key,
            "client.secret-access-key": frozen and frozen.secret_key,
            "client.session-token": frozen and frozen.token,
            "glue.endpoint": self.endpoint,
            "s3.endpoint": self.endpoint,
        }
        catalog = load_catalog(
            "facts", type="glue", **{name: value for name, value in settings.items() if value}
        )
        for_threads(catalog.glue)
        return catalog

    def credentials(self) -> Any:
        """What requests are signed with, as botocore has it; None where there are none."""
        return self._session.get_credentials()

    @property
    def keys(self) -> dict[str, str]:
        """The keys that are in the environment itself, by its variables; none of a profile."""
        return {name: self.environment[name] for name in KEYS if self.environment.get(name)}

    @cached_property
    def _session(self) -> Any:
        import boto3

        settings = self.environment
        return boto3.Session(
            aws_access_key_id=settings.get("AWS_ACCESS_KEY_ID") or None,
            aws_secret_access_key=settings.get("AWS_SECRET_ACCESS_KEY") or None,
            aws_session_token=settings.get("AWS_SESSION_TOKEN") or None,
            profile_name=self._profile,
            region_name=self.region,
        )

    @property
    def region(self) -> str | None:
        """The region that the environment names; None leaves it to the profile."""
        named = self.environment.get("AWS_REGION") or self.environment.get("AWS_DEFAULT_REGION")
        return named or (None if self._profile else DEFAULT_REGION)

    @property
    def _profile(self) -> str | None:
        if self.environment.get("AWS_ACCESS_KEY_ID"):
            return None
        return self.environment.get("AWS_PROFILE") or self.environment.get("AWS_DEFAULT_PROFILE")


def current_target() -> Target:
    """The cloud that this command is to speak to, by the environment and the working directory.

    Raises CommandFailed when there is none.
    """
    choice = choose(os.environ, find_running_cloud, local_trouble)
    if choice.ignored_local is not None:
        print_note(
            f"using {choice.origin}, though a local cloud runs at {choice.ignored_local}; "
            "unset that variable to use it"
        )
    stage = stage_of(choice.environment)
    where = f"{choice.origin}, stage {stage.name}" if stage.name else choice.origin
    return Target(choice.environment, where)


def find_running_cloud() -> tuple[str, Mapping[str, str]] | None:
    """The endpoint and settings of the local cloud of the working directory or a parent."""
    directory = cloud_directory(Path.cwd())
    if directory is None:
        return None
    from infra.local import cloud

    running = cloud.find(directory)
    return None if running is None else (running.endpoint, running.environment())


def local_trouble() -> str | None:
    """What is wrong with the local cloud of the working directory or a parent, if it has one."""
    directory = cloud_directory(Path.cwd())
    if directory is None:
        return None
    from infra.local import cloud

    return cloud.trouble(directory)


def cloud_directory(start: Path) -> Path | None:
    """The nearest directory, from `start` upwards, that a local cloud was started in."""
    for directory in (start, *start.parents):
        if (directory / ".ecp" / "cloud.json").is_file():
            return directory
    return None
