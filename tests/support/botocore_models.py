"""Descriptions of AWS's services, found and read once a process and not once a session.

That is most of what a client takes.
"""

from functools import partial
from typing import Any

import botocore.session


def share_models() -> None:
    """From now on, among all sessions of this process and of those that it forks."""
    create = partial(_with_what_was_found, botocore.session.create_loader, {})
    botocore.session.create_loader = create


def _with_what_was_found(create: Any, found: dict[Any, Any], path: str | None = None) -> Any:
    """A session's loader of models that knows what those of sessions before it found and read."""
    loader = create(path)
    loader._cache = found
    return loader
