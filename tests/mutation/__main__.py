"""`make mutation`: faults by the hundred in the code that must not fail, and which go unnoticed.

`python -m tests.mutation [--target NAME]`; what was tried is kept in `.mutation`, so a run that was
stopped goes on, and only functions that changed and mutants that survived are tried again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

from tests.mutation.named import FAULTS, copy_project, put_in, run_tests, take_out
from tests.mutation.report import keep, summary
from tests.mutation.results import SURVIVED, Mutant, forget_survivors, mutants_in, with_edits
from tests.mutation.targets import PROJECT, TARGETS, Target, target

WORK = PROJECT / ".mutation"
SETTINGS_OF_CHILDREN = "[mutmut]\nsource_paths =\n    contracts\n    services\n"
"""For processes that tests start: mutmut's recorder of calls asks for them there, too."""
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:threadexception", "-p", "no:unraisableexception")
"""Plugins that collect garbage after every test."""


def main() -> int:
    """0 when every fault with a name is noticed and every survivor of the others is explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    names = [one.name for one in TARGETS]
    parser.add_argument("--target", choices=names, action="append", help="only this one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    parser.add_argument("--sample", type=int, help="so many mutants of a target, drawn by a seed")
    parser.add_argument("--tell", action="store_true", help="try nothing, tell what was tried")
    parser.add_argument("--fresh", action="store_true", help="forget what was tried before")
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(WORK, ignore_errors=True)
    missed = 0 if options.target or options.tell else _named()
    unexplained = 0
    for name in options.target or names:
        if not options.tell:
            _try(target(name), options.jobs, options.sample)
        mutants = _found(target(name))
        unexplained += keep(name, mutants)
        print(summary(name), flush=True)
    return 1 if missed or unexplained else 0


def _named() -> int:
    """How many of the faults with a name go unnoticed."""
    project = copy_project(WORK / "named")
    missed = 0
    for fault in FAULTS:
        put_in(fault, project)
        code = run_tests(project, [fault.test]).returncode
        take_out(fault, project)
        missed += code != 1
        print(f"{'noticed' if code == 1 else 'NOT NOTICED'}: {fault.name}", flush=True)
    return missed


def _folder_of(chosen: Target) -> Path:
    return WORK / chosen.name.replace(" ", "-")


def _try(chosen: Target, jobs: int, sample: int | None) -> None:
    """Make the mutants of a target, and try those of which it is not known how they end."""
    project = copy_project(_folder_of(chosen))
    folder = project / "mutants"
    _clear(folder, chosen)
    (project / "setup.cfg").write_text(SETTINGS_OF_CHILDREN)
    _python(project, ["-m", "tests.mutation.mutate", chosen.name])
    options = ["-q", "-p", "tests.mutation.forks", *WITHOUT, f"--processes={jobs}"]
    options += [f"--sample={sample}"] if sample else []
    _python(folder, ["-m", "pytest", *options, *chosen.tests], quiet=False)


def _found(chosen: Target) -> list[Mutant]:
    """Every mutant of a target and how it ended; survivors with their edit."""
    project = _folder_of(chosen)
    mutants = mutants_in(project / "mutants")
    alive = [mutant.name for mutant in mutants if mutant.end == SURVIVED]
    edits = json.loads(_python(project, ["-m", "tests.mutation.diffs"], said="\n".join(alive)))
    return with_edits(mutants, edits)


def _clear(folder: Path, chosen: Target) -> None:
    """Leave only what was found out of its files, so that everything else is of the present."""
    if not folder.exists():
        return
    forget_survivors(folder)
    for path in folder.rglob("*"):
        file = str(path.relative_to(folder))
        known = any(fnmatch(file, f"{pattern}.meta") for pattern in chosen.files)
        if path.is_file() and not known:
            path.unlink()


def _python(folder: Path, arguments: list[str], said: str = "", *, quiet: bool = True) -> str:
    """Run a module of the copy in it; returns what it printed, unless that is for people."""
    ran = subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        input=said,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        check=True,
    )
    return ran.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
