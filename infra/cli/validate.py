"""`ecp validate`."""


def validate() -> None:
    """todo"""
