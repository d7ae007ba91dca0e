"""The mutation run itself: which faults it puts in, how it judges, that its figures are kept."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation import report
from tests.mutation.results import (
    KILLED,
    SURVIVED,
    TIMEOUT,
    UNTRIED,
    Mutant,
    changed_lines,
    drawn,
    forget_survivors,
    mutants_in,
    write_whole,
)

CODE = '''
def settle(store, key, fence):
    """Says nothing."""
    if store.is_open:
        store.close(key, force=True)
    if fence < 3:
        raise ValueError(f"{key} is stale", fence)
    logger.info("settled", key=key)
    return store.put("phase", "all settled")
'''
EDITS = {
    "- if store.is_open: | + if not (store.is_open):",
    "- store.close(key, force=True) | + pass",
    "- store.close(key, force=True) | + store.close(None, force=True)",
    "- store.close(key, force=True) | + store.close(key, )",
    "- store.close(key, force=True) | + store.close(key, force=False)",
    "- if fence < 3: | + if fence <= 3:",
    "- if fence < 3: | + if fence < 4:",
    '- raise ValueError(f"{key} is stale", fence) | + pass',
    '- return store.put("phase", "all settled") | + return store.put(None, "all settled")',
    '- return store.put("phase", "all settled") | + return store.put("phase", None)',
    '- return store.put("phase", "all settled") | + return store.put("XXphaseXX", "all settled")',
}


def test_faults_change_what_code_does_and_no_wording(tmp_path: Path) -> None:
    """In a process of its own: mutmut keeps its operators in the module."""

    script = """
import difflib, json, sys
import libcst as cst
from mutmut import configuration
configuration._config_reader = lambda: {"source_paths": ["."]}.get
from tests.mutation import operators
operators.install()
from mutmut.mutation.file_mutation import create_mutations, deep_replace
from tests.mutation.results import changed_lines
code = sys.stdin.read()
module, mutations, _, _ = create_mutations("a.py", code)
edits = []
for mutation in mutations:
    after = deep_replace(module, mutation.original_node, mutation.mutated_node).code
    diff = "\\n".join(difflib.unified_diff(code.splitlines(), after.splitlines(), lineterm=""))
    edits.append(" | ".join(changed_lines(diff)))
print(json.dumps(edits))
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        input=CODE,
        capture_output=True,
        text=True,
        check=True,
        cwd=report.PROJECT,
    )
    edits = json.loads(ran.stdout)
    assert len(edits) == len(EDITS)
    assert set(edits) == EDITS


def a_meta(folder: Path, **codes: int | None) -> None:
    (folder / "a.py.meta").write_text(
        json.dumps({"exit_code_by_key": {f"a.x_f__mutmut_{name}": codes[name] for name in codes}})
    )


def test_a_mutant_is_killed_by_a_red_test_or_by_time_and_alive_otherwise(tmp_path: Path) -> None:
    a_meta(tmp_path, red=1, green=0, unreached=33, killed_for_time=-24, alarm=-14, untried=None)
    ends = {mutant.name.rpartition("_mutmut_")[2]: mutant.end for mutant in mutants_in(tmp_path)}
    assert ends == {
        "red": KILLED,
        "green": SURVIVED,
        "unreached": SURVIVED,
        "killed_for_time": TIMEOUT,
        "alarm": TIMEOUT,
        "untried": UNTRIED,
    }


def test_what_was_killed_stays_so_and_survivors_are_tried_again(tmp_path: Path) -> None:
    a_meta(tmp_path, red=1, green=0, unreached=33)
    forget_survivors(tmp_path)
    codes = json.loads((tmp_path / "a.py.meta").read_text())["exit_code_by_key"]
    assert list(codes.values()) == [1, None, None]


def test_a_sample_is_the_same_whatever_is_known_of_it() -> None:
    mutants = [("a.meta", f"f__mutmut_{number}") for number in range(100)]
    sample = drawn(mutants, 10)
    assert drawn(reversed(mutants), 10) == sample
    assert len(set(sample)) == 10
    assert set(sample) <= set(mutants)
    assert drawn(mutants, 4) == sample[:4]
    assert drawn(mutants, None) == sorted(mutants)
    assert len(drawn(mutants, 101)) == 100


def test_what_was_tried_is_whole_while_more_of_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_meta(tmp_path, red=1)
    seen_on_the_way = []

    def replaced(fresh: Path, meta: Path) -> None:
        seen_on_the_way.extend(mutants_in(tmp_path))
        fresh.rename(meta)

    monkeypatch.setattr("tests.mutation.results.os.replace", replaced)
    write_whole(tmp_path / "a.py.meta", {"exit_code_by_key": {"a.x_f__mutmut_other": 0}})
    assert [mutant.end for mutant in seen_on_the_way] == [KILLED]
    assert [mutant.end for mutant in mutants_in(tmp_path)] == [SURVIVED]


def test_a_function_is_named_as_people_write_it(tmp_path: Path) -> None:
    (tmp_path / "a.py.meta").write_text(
        json.dumps({"exit_code_by_key": {"a.xǁLockǁextend__mutmut_7": 1, "a.x__f__mutmut_1": 1}})
    )
    assert [mutant.function for mutant in mutants_in(tmp_path)] == ["Lock.extend", "_f"]


def test_an_edit_is_what_a_diff_takes_out_and_puts_in() -> None:
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n def f():\n-    return 1\n+    return 2"
    assert list(changed_lines(diff)) == ["- return 1", "+ return 2"]


def test_a_survivor_is_explained_by_function_and_edit_or_open() -> None:
    edit = "- paid(SOURCE) | + ports.store.append(context=MessageContext(None), writes=[paid])"
    assert report.why_not(Mutant("a", "f", "_forget_token", SURVIVED, edit)) is not None
    assert report.why_not(Mutant("a", "f", "another", SURVIVED, edit)) is None


FINISHED = sorted(name for name, found in report.kept().items() if not found["untried"])


@pytest.mark.parametrize("name", FINISHED)
def test_nine_of_ten_are_noticed_and_each_other_is_explained(name: str) -> None:
    found = report.kept()[name]
    assert found["killed_percent"] >= 90
    assert [one for one in found["survivors"] if one["why"] is None] == []


def test_the_page_shows_the_figures_that_are_kept() -> None:
    page = report.PAGE.read_text()
    assert report.with_figures(page, report.kept()) == page
