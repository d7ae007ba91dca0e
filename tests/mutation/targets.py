"""What is mutated, and the tests that are to notice: a list for each part, so that it is fast.

`mutmut` finds out which of these tests run which function. SEEDS are seeds of the simulation, for
what it runs for real.
"""

from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
COPIED = ("contracts", "services", "infra", "tests", "pyproject.toml")
SEEDS = "tests/mutation/seeds.py"

_CRASHES = "tests/unit/transformer/test_crashes.py"
SOME_CRASHES = (
    f"{_CRASHES}::test_a_process_that_dies_is_followed_by_another[14]",
    f"{_CRASHES}::test_a_commit_whose_answer_was_lost_makes_nobody_stale[4]",
    f"{_CRASHES}::test_an_abandoning_whose_answer_was_lost_is_asked_for_again[2]",
    f"{_CRASHES}::test_a_batch_that_died_is_abandoned_and_redriven[9]",
    f"{_CRASHES}::test_a_batch_that_died_is_abandoned_and_redriven[13]",
    f"{_CRASHES}::test_another_batch_settles_first_what_broke_off[12]",
    f"{_CRASHES}::test_another_batch_settles_first_what_broke_off[13]",
)
"""Before and after the point of no return; each survivor would meet every crash otherwise."""


@dataclass(frozen=True)
class Target:
    """Some files and their tests."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = (
    Target("lock", ("services/lock/*.py",), ("tests/unit/lock", SEEDS)),
    Target(
        "event store",
        ("contracts/event_store/*.py", "contracts/relay.py"),
        (
            "tests/unit/contracts/test_event_store.py",
            "tests/unit/contracts/test_metrics.py",
            "tests/unit/contracts/test_relay.py",
            "tests/unit/contracts/test_store_requests.py",
            "tests/unit/contracts/test_traces.py",
            "tests/unit/contracts/test_tracing.py",
        ),
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
            "tests/unit/contracts/test_answers.py",
            "tests/unit/contracts/test_consumer.py",
            "tests/unit/contracts/test_dead_letter_edges.py",
            "tests/unit/contracts/test_envelope.py",
            "tests/unit/contracts/test_foreign_bytes.py",
            "tests/unit/contracts/test_leases.py",
            "tests/unit/contracts/test_log_lines.py",
            "tests/unit/contracts/test_metrics.py",
            "tests/unit/contracts/test_no_message_is_lost.py",
            "tests/unit/contracts/test_tracing.py",
            "tests/unit/contracts/test_worker_deadline.py",
            "tests/unit/contracts/test_worker_life.py",
            "tests/unit/contracts/test_worker_state.py",
            SEEDS,
        ),
    ),
    Target(
        "publication",
        (
            "services/transformer/domain.py",
            "services/transformer/kpis.py",
            "services/transformer/publication.py",
            "services/transformer/use_cases.py",
        ),
        (
            "tests/unit/test_transformation.py",
            *SOME_CRASHES,
            "tests/unit/transformer/test_currency.py",
            "tests/unit/transformer/test_engine_choice.py",
            "tests/unit/transformer/test_kpi_items.py",
            "tests/unit/transformer/test_meanwhile.py",
            "tests/unit/transformer/test_never_granted.py",
            "tests/unit/transformer/test_stale_commands.py",
            "tests/unit/transformer/test_transformer_state.py",
            "tests/unit/transformer/test_whose_it_is.py",
        ),
    ),
    Target(
        "facts",
        ("services/transformer/catalog.py", "services/transformer/turns.py"),
        (
            "tests/unit/test_transformation.py",
            *SOME_CRASHES,
            "tests/unit/transformer/test_rebuild.py",
            "tests/unit/transformer/test_rekeying.py",
            "tests/unit/transformer/test_upkeep.py",
        ),
    ),
    Target(
        "validator",
        (
            "services/validator/domain.py",
            "services/validator/row_files.py",
            "services/validator/use_cases.py",
        ),
        (
            "tests/unit/test_validation.py",
            "tests/unit/validator/test_adding_up.py",
            "tests/unit/validator/test_row_files.py",
            "tests/unit/validator/test_second_look.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
    Target(
        "validator repeats",
        ("services/validator/second_look.py",),
        (
            "tests/unit/validator/test_candidates.py",
            "tests/unit/validator/test_row_files.py",
            "tests/unit/validator/test_second_look.py",
            "tests/unit/validator/test_statements.py",
        ),
    ),
    Target(
        "validator numbers",
        ("services/validator/arrow_numbers.py",),
        ("tests/unit/validator/test_plain_numbers.py",),
    ),
    Target(
        "validator erasing",
        ("services/validator/erasing.py",),
        ("tests/unit/validator/test_erasing.py", "tests/unit/validator/test_erasing_by_key.py"),
    ),
    Target(
        "validator verdict",
        (
            "services/validator/key_hashes.py",
            "services/validator/pseudonyms.py",
            "services/validator/staged_rows.py",
            "services/validator/verdict.py",
        ),
        (
            "tests/unit/test_validation.py",
            "tests/unit/validator/test_adding_up.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
    Target(
        "validator reading",
        (
            "services/validator/arrow_checks.py",
            "services/validator/arrow_texts.py",
            "services/validator/block_checks.py",
            "services/validator/file_check.py",
            "services/validator/file_text.py",
            "services/validator/line_blocks.py",
            "services/validator/record_shapes.py",
            "services/validator/segments.py",
        ),
        (
            "tests/unit/test_validation.py",
            "tests/unit/validator/test_both_paths_agree.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
)


def target(name: str) -> Target:
    """The target of that name; raises KeyError."""
    return {one.name: one for one in TARGETS}[name]
