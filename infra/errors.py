"""What can go wrong while the pipeline is deployed or run; each message says what to do."""

from contracts.errors import PipelineError


class DeploymentFailed(PipelineError):
    """A stack could not be brought to the state its template describes."""


class UnknownName(DeploymentFailed):
    """A stack or a parameter was asked for that no template has."""


class LocalCloudError(PipelineError):
    """The local cloud could not be started, found or stopped."""
