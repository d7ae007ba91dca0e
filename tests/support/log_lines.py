"""The log lines of this process, as they are written, without what carries them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.runtime.observability.logs import logger


class _Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logger.registered_formatter)
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@contextmanager
def recorded_lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged inside, line by line."""
    recorder = _Recorder()
    registered = logging.getLogger(logger.name)
    registered.addHandler(recorder)
    try:
        yield recorder.lines
    finally:
        registered.removeHandler(recorder)
