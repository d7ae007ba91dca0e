"""Faults with a name: each was once put into the code and no test noticed, so each has its test.

A fault is an edit of one file, tried in a copy of the project.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.targets import COPIED, PROJECT


@dataclass(frozen=True)
class Fault:
    """In `file`, `before` (there exactly once) becomes `after`; `test` has to go red."""

    name: str
    file: str
    before: str
    after: str
    test: str


FAULTS = (
    Fault(
        "a message is deleted after a fault of its handler",
        "services/runtime/messaging/worker.py",
        """            self._give_back(receipt)
            return fault
""",
        """            self._give_back(receipt)
""",
        "tests/unit/runtime/test_no_message_is_lost.py"
        "::test_a_message_whose_handler_failed_is_not_deleted_and_comes_again_at_once",
    ),
    Fault(
        "staged Parquet is read without comparing its SHA-256",
        "services/transformer/adapters.py",
        "if sha256_hex(content) != ref.sha256:",
        "if False:",
        "tests/unit/transformer/test_staged_inputs.py"
        "::test_a_staged_file_that_is_not_what_its_report_pins_is_not_read",
    ),
    Fault(
        "a stale writer takes another batch's publication for its own and asks again",
        "services/transformer/batch/settle.py",
        'flight is not None and flight.batch_id == batch_id and flight.phase == "PUBLISHING"',
        'flight is not None and flight.phase == "PUBLISHING"',
        "tests/unit/transformer/test_stale_commands.py"
        "::test_a_stale_command_is_stale_while_another_batch_is_being_published",
    ),
    Fault(
        "the validator does not look a second time before it writes",
        "services/validator/use_cases.py",
        """        known = _history(command, ports).answer_to(command)
        if known is not None:
            return known

        def written_report""",
        """        def written_report""",
        "tests/unit/validator/test_second_look.py"
        "::test_a_writer_that_was_overtaken_while_it_read_writes_nothing",
    ),
)


def copy_project(folder: Path) -> Path:
    """A copy of what tests need, to put faults into; times of files stay as they are."""
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy2(source, folder / name)
    return folder


def put_in(fault: Fault, project: Path) -> None:
    """Edit the copy; raises ValueError when the code has moved away from the fault."""
    path = project / fault.file
    code = path.read_text()
    if code.count(fault.before) != 1:
        raise ValueError(f"{fault.file} does not hold once what the fault '{fault.name}' changes")
    path.write_text(code.replace(fault.before, fault.after))


def take_out(fault: Fault, project: Path) -> None:
    """The file as it was."""
    shutil.copy2(PROJECT / fault.file, project / fault.file)


def run_tests(project: Path, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run some tests of the copy; exit code 1 is red, 0 is green, any other an error."""
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=project,
        env=environment | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
