"""Writes down every AWS call that a service makes; Python runs it because PYTHONPATH leads here.

One line a call into the file that RECORDED_CALLS names: who, which AWS service, which operation,
with what. Calls that go past botocore (Arrow's reading and writing of the facts) are not seen.
"""

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CALLS_FILE = os.environ.get("RECORDED_CALLS")


def caller() -> str | None:
    """The function or worker that this process is; None for anything else, as `ecp` itself."""
    workers = (word for word in sys.orig_argv if word.startswith("services."))
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or next(workers, None)


def recording(module: ModuleType, calls_file: str) -> None:
    make_call = module.BaseClient._make_api_call

    def recorded(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        name = caller()
        if name is not None:
            call = [name, client.meta.service_model.service_name, operation, parameters]
            with open(calls_file, "a") as calls:
                calls.write(json.dumps(call, default=lambda _: None) + "\n")
        return make_call(client, operation, parameters)

    module.BaseClient._make_api_call = recorded


class _WhenBotocoreComes(importlib.abc.MetaPathFinder):
    """Waits for botocore instead of importing it: most processes need none."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "botocore.client" or CALLS_FILE is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        loader, calls_file = spec.loader, CALLS_FILE
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            recording(module, calls_file)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if CALLS_FILE:
    sys.meta_path.insert(0, _WhenBotocoreComes())
