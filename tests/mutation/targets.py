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
        ("services/runtime/event_store/*.py", "services/relay/handler.py"),
        (
            "tests/unit/runtime/test_event_store.py",
            "tests/unit/runtime/test_metrics.py",
            "tests/unit/relay/test_relay.py",
            "tests/unit/runtime/test_store_requests.py",
            "tests/unit/runtime/test_spans.py",
            "tests/unit/runtime/test_tracing.py",
        ),
    ),
    Target(
        "messaging",
        (
            "services/runtime/messaging/task_callbacks.py",
            "services/runtime/messaging/consumer.py",
            "services/runtime/messaging/dead_letters.py",
            "contracts/envelope.py",
            "contracts/foreign.py",
            "services/runtime/messaging/lease_heartbeat.py",
            "services/runtime/messaging/worker.py",
            "services/runtime/messaging/spare_time.py",
            "services/runtime/messaging/task_protection.py",
        ),
        (
            "tests/unit/runtime/test_task_callbacks.py",
            "tests/unit/runtime/test_consumer.py",
            "tests/unit/runtime/test_dead_letter_edges.py",
            "tests/unit/contracts/test_envelope.py",
            "tests/unit/contracts/test_foreign_bytes.py",
            "tests/unit/runtime/test_lease_heartbeat.py",
            "tests/unit/runtime/test_log_lines.py",
            "tests/unit/runtime/test_metrics.py",
            "tests/unit/runtime/test_no_message_is_lost.py",
            "tests/unit/runtime/test_spare_time.py",
            "tests/unit/runtime/test_task_protection.py",
            "tests/unit/runtime/test_tracing.py",
            "tests/unit/runtime/test_worker_deadline.py",
            "tests/unit/runtime/test_worker_life.py",
            "tests/unit/runtime/test_worker_state.py",
            SEEDS,
        ),
    ),
    Target(
        "publication",
        (
            "services/transformer/batch/abandon.py",
            "services/transformer/batch/domain.py",
            "services/transformer/batch/kpis.py",
            "services/transformer/batch/publication.py",
            "services/transformer/batch/reconciliation.py",
            "services/transformer/batch/settle.py",
            "services/transformer/batch/state.py",
            "services/transformer/batch/transform.py",
            "services/transformer/engines/choice.py",
        ),
        (
            "tests/unit/transformer/test_transformation.py",
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
        (
            "services/transformer/facts/catalog.py",
            "services/transformer/facts/compaction.py",
            "services/transformer/maintenance/compaction.py",
            "services/transformer/maintenance/exclusive_writer.py",
        ),
        (
            "tests/unit/transformer/test_transformation.py",
            *SOME_CRASHES,
            "tests/unit/transformer/test_compaction.py",
            "tests/unit/transformer/test_compaction_choice.py",
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
            "tests/unit/validator/test_validation.py",
            "tests/unit/validator/test_adding_up.py",
            "tests/unit/validator/test_row_files.py",
            "tests/unit/validator/test_second_look.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
    Target(
        "validator sources",
        ("services/validator/sources/*.py", "services/validator/staged_kinds.py"),
        ("tests/unit/validator/sources",),
    ),
    Target(
        "validator repeats",
        ("services/validator/reading/duplicates.py",),
        (
            "tests/unit/validator/test_candidates.py",
            "tests/unit/validator/test_row_files.py",
            "tests/unit/validator/test_second_look.py",
            "tests/unit/validator/test_statements.py",
        ),
    ),
    Target(
        "validator numbers",
        ("services/validator/reading/arrow_numbers.py",),
        ("tests/unit/validator/test_plain_numbers.py",),
    ),
    Target(
        "validator erasing",
        ("services/validator/erasure.py",),
        ("tests/unit/validator/test_erasing.py", "tests/unit/validator/test_erasing_by_key.py"),
    ),
    Target(
        "validator verdict",
        (
            "services/validator/reading/duplicate_candidates.py",
            "services/validator/pseudonyms.py",
            "services/validator/reading/staged_rows.py",
            "services/validator/reading/verdict.py",
        ),
        (
            "tests/unit/validator/test_candidates.py",
            "tests/unit/validator/test_validation.py",
            "tests/unit/validator/test_adding_up.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
    Target(
        "validator reading",
        (
            "services/validator/reading/arrow_checks.py",
            "services/validator/reading/arrow_texts.py",
            "services/validator/reading/block_checks.py",
            "services/validator/reading/broken_lines.py",
            "services/validator/reading/explained_rows.py",
            "services/validator/reading/file_check.py",
            "services/validator/reading/file_text.py",
            "services/validator/reading/line_blocks.py",
            "services/validator/reading/lines.py",
            "services/validator/reading/quarantined_rows.py",
            "services/validator/reading/quick_records.py",
            "services/validator/reading/record_shapes.py",
            "services/validator/reading/regular_rows.py",
            "services/validator/reading/row_messages.py",
            "services/validator/reading/segments.py",
        ),
        (
            "tests/unit/validator/test_validation.py",
            "tests/unit/validator/test_both_paths_agree.py",
            "tests/unit/validator/test_explained_rows.py",
            "tests/unit/validator/test_file_text.py",
            "tests/unit/validator/test_record_shapes.py",
            "tests/unit/validator/test_statements.py",
            "tests/unit/validator/test_texts_agree.py",
            "tests/unit/validator/test_validate_file.py",
        ),
    ),
)


def target(name: str) -> Target:
    """The target of that name; raises KeyError."""
    return {one.name: one for one in TARGETS}[name]
