"""Sending a submission with progress for people, and what an upload that is cut off leaves."""

from collections.abc import Sequence

from contracts.clock import system_clock
from contracts.messages import ObjectRef
from infra.ecp.batches.follow import view_for
from infra.ecp.batches.progress import Step, StepState
from infra.ecp.submissions.directories import InputFile
from infra.ecp.submissions.upload import Submission, Uploader
from infra.ecp.target import Target
from infra.ecp.terminal.errors import CommandFailed, ExitCode
from infra.ecp.terminal.output import print_note, spinner
from services.runtime.wording import listed, plural, size

NAMED_FILES = 3


def upload(
    target: Target,
    files: Sequence[InputFile],
    *,
    as_json: bool,
    answers: ObjectRef | None = None,
    one_statement: bool = False,
) -> Submission:
    """Upload the files and their manifest, with progress for people on standard error."""
    bucket = target.names.data_bucket

    def announce(file: InputFile, done: int, total: int) -> None:
        say(f"uploading {done} of {total}: {file.key}")

    with spinner(f"uploading {plural(len(files), 'file')}") as say:
        uploader = Uploader(
            target.client("s3"), bucket, system_clock, announce, one_statement=one_statement
        )
        try:
            submission = uploader.submit(files, answers)
        except KeyboardInterrupt as interrupt:
            raise CommandFailed(_interrupted(uploader), ExitCode.INTERRUPTED) from interrupt
        except Exception:
            if uploader.left_behind:
                print_note(_left_behind(uploader))
            raise
    total = sum(file.path.stat().st_size for file in files)
    with view_for(as_json=as_json) as view:
        said = f"{plural(len(files), 'file')}, {size(total)}, to {bucket}"
        view.show([Step("Upload", StepState.DONE, said)])
    return submission


def _interrupted(uploader: Uploader) -> str:
    """What Ctrl-C during the upload leaves."""
    if uploader.is_submitted:
        return "interrupted after the last file; the batch goes on: `ecp batches` shows it"
    if uploader.left_behind:
        return f"interrupted; {_left_behind(uploader)}"
    return "interrupted; nothing was submitted, and what was uploaded is deleted again"


def _left_behind(uploader: Uploader) -> str:
    keys = [file.key for file in uploader.left_behind]
    return (
        f"{plural(len(keys), 'uploaded file')} could not be deleted again: "
        f"{listed(keys, NAMED_FILES)}; without "
        "their manifest they become no batch, and `ecp status` lists them until they are deleted"
    )
