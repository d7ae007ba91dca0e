"""The error tree: every fault that the pipeline raises on purpose is one of these."""


class PipelineError(Exception):
    """Something went wrong on our side; the message says what, to what, and what to do."""


class DataRejected(PipelineError):
    """The sender's data is at fault; trying again cannot help."""


class Transient(PipelineError):
    """A dependency is throttled, slow or away; trying again may help."""


class StaleWriter(PipelineError):
    """Another writer with a higher fence or epoch has taken over (docs/design.md, Lock).

    `seen_fence`: the higher fence, where that is why.
    """

    def __init__(self, message: str, seen_fence: int | None = None) -> None:
        super().__init__(message)
        self.seen_fence = seen_fence


class ContractViolation(PipelineError):
    """A message or document does not match its schema, or has no schema at all."""


class Refused(ContractViolation):
    """A message that conforms and that its owner can never take, whatever becomes of the world."""


class ConcurrencyConflict(PipelineError):
    """A stream or item was not at the expected version; load again and decide again."""


class VersionGone(PipelineError):
    """A version of an object that was there is there no longer; somebody has deleted it."""
