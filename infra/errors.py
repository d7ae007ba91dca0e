"""What can go wrong while the pipeline is deployed or run; each message says what to do."""

from contracts.errors import PipelineError


class DeploymentFailed(PipelineError):
    """A stack could not be brought to the state its template describes."""


class UnknownName(DeploymentFailed):
    """A stack or a parameter was asked for that no template has."""


class CheckFailed(DeploymentFailed):
    """A new version does not work: it failed its smoke check, or an alarm rang."""


class RolledBack(DeploymentFailed):
    """A new version did not work, and what was there before works again."""


class DeploymentInterrupted(PipelineError):
    """Ctrl-C ended a deployment; the message says where each stack stands."""


class LocalCloudError(PipelineError):
    """The local cloud could not be started, found or stopped."""
