"""The one way to say that a file as a whole cannot be used."""

from contracts.errors import DataRejected


class BadFile(DataRejected):
    """A file breaks a file rule; `rule` names it, `reason` says what is wrong and what to do."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{reason} (rule {rule})")
        self.rule = rule
        self.reason = reason
