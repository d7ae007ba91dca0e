"""A question that is asked of a transformer under test, and the document that it puts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from contracts.layout import explanation_key
from services.transformer.batch.state import current_state
from services.transformer.facts.published import PublishedFacts
from tests.support.transforming import DATA_BUCKET, Workbench


class Kept:
    """Documents by key, as the last put of each says; what was there before is read through."""

    def __init__(self, objects: Any) -> None:
        self.by_key: dict[tuple[str, str], dict[str, Any]] = {}
        self._objects = objects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put_json(self, bucket: str, key: str, document: Any) -> None:
        self.by_key[bucket, key] = document


def answer_to(bench: Workbench, answer: Callable[..., None], command: Any) -> dict[str, Any]:
    """What `answer` (explain_kpi, say) puts for the command."""
    kept = Kept(bench.ports.objects)
    ports = replace(bench.ports, objects=kept)  # type: ignore[arg-type]
    catalog = bench.ports.facts._catalog
    look = lambda: PublishedFacts(catalog, "ecommerce", lambda: current_state(ports))  # noqa: E731
    answer(command, ports, look, DATA_BUCKET)
    return kept.by_key[DATA_BUCKET, explanation_key(command.question_id)]
