"""What is mutated, and the tests that are to notice: a list for each part, so that it is fast.

`mutmut` finds out which of these tests run which function; a mutant that they leave alive is given
to the simulation where that runs the part for real.
"""

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("contracts", "services", "infra", "tests", "pyproject.toml")


@dataclass(frozen=True)
class Target:
    """Some files and their tests; `seeds` of the simulation are for what those leave alive."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    seeds: int = 0


TARGETS = (
    Target(
        "lock",
        ("services/lock/*.py",),
        ("tests/unit/lock",),
        seeds=60,
    ),
    Target(
        "event store",
        ("contracts/event_store/*.py", "contracts/relay.py"),
        (
            "tests/unit/contracts/test_event_store.py",
            "tests/unit/contracts/test_metrics.py",
            "tests/unit/contracts/test_relay.py",
            "tests/unit/contracts/test_traces.py",
            "tests/unit/contracts/test_tracing.py",
        ),
        seeds=60,
    ),
    Target(
        "messaging",
        (
            "contracts/answers.py",
            "contracts/consumer.py",
            "contracts/dead_letters.py",
            "contracts/envelope.py",
            "contracts/foreign.py",
            "contracts/leases.py",
            "contracts/worker.py",
        ),
        (
            "tests/unit/contracts/test_consumer.py",
            "tests/unit/contracts/test_envelope.py",
            "tests/unit/contracts/test_foreign_bytes.py",
            "tests/unit/contracts/test_leases.py",
            "tests/unit/contracts/test_no_message_is_lost.py",
            "tests/unit/contracts/test_worker_deadline.py",
            "tests/unit/contracts/test_worker_life.py",
        ),
        seeds=60,
    ),
    Target(
        "publication",
        (
            "services/transformer/domain.py",
            "services/transformer/use_cases.py",
            "services/transformer/publication.py",
            "services/transformer/catalog.py",
            "services/transformer/kpis.py",
            "services/transformer/turns.py",
        ),
        ("tests/unit/transformer", "tests/unit/test_transformation.py"),
        seeds=60,
    ),
    Target(
        "validator",
        ("services/validator/*.py",),
        ("tests/unit/validator", "tests/unit/test_validation.py"),
    ),
)


def target(name: str) -> Target:
    """The target of that name; raises KeyError."""
    return {one.name: one for one in TARGETS}[name]
