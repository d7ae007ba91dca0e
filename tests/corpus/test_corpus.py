"""Every file of the corpus, at every block size, as it is and as gzip: exactly what was meant."""

import gzip
import io
from collections import Counter
from datetime import date

import pytest

from contracts.file_contracts import file_contract
from services.validator.reading.file_check import check_file
from tests.corpus.cases import Case
from tests.corpus.field_cases import field_cases
from tests.corpus.file_cases import file_cases
from tests.corpus.line_end_cases import line_end_cases
from tests.corpus.record_cases import record_cases
from tests.corpus.structure_cases import structure_cases
from tests.support.examples import some
from tests.support.standing_rows import that_stand

TODAY = date(2026, 11, 23)
CASES = [*file_cases(), *structure_cases(), *record_cases(), *field_cases(), *line_end_cases()]
EVERYTHING = 8 << 20
SMALL_BLOCKS = (1, 13, 64, EVERYTHING)
LARGE_BYTES = 50_000
LARGE_BLOCKS = (65_537, 1 << 20, EVERYTHING)


@pytest.mark.parametrize("case", some(CASES), ids=lambda case: f"{case.level}: {case.name}")
def test_a_polluted_file_is_read_as_meant(case: Case) -> None:
    is_large = len(case.content) > LARGE_BYTES
    for block_bytes in LARGE_BLOCKS if is_large else SMALL_BLOCKS:
        assert outcome(case, case.content, case.path, block_bytes) == expected(case), block_bytes
    if not case.path.endswith(".gz") and case.content:
        packed = gzip.compress(case.content, 1)
        block_bytes = LARGE_BLOCKS[0] if is_large else 29
        assert outcome(case, packed, f"{case.path}.gz", block_bytes) == expected(case), "gz"


def test_the_corpus_is_wide_and_its_names_are_its_own() -> None:
    names = Counter((case.level, case.name) for case in CASES)
    assert not [name for name, count in names.items() if count > 1]
    assert len(CASES) >= 400
    assert {case.level for case in CASES} == {"file", "structure", "record", "field", "line end"}


def test_a_blocks_end_falls_on_every_byte_of_some_record() -> None:
    [case] = [case for case in CASES if case.name == "quoted lines with commas and quotes, last"]
    for block_bytes in range(1, 70):
        assert outcome(case, case.content, case.path, block_bytes) == expected(case)


def expected(case: Case) -> tuple[object, ...]:
    if case.rejected:
        return ("rejected", case.rejected, True)
    return ("accepted", list(case.accepted), list(case.bad))


def outcome(case: Case, content: bytes, path: str, block_bytes: int) -> tuple[object, ...]:
    accepted: list[tuple[int, tuple[str, ...]]] = []
    bad: list[tuple[int, str]] = []
    check = check_file(
        lambda: io.BytesIO(content),
        file_contract(case.table),
        name=path,
        today=TODAY,
        max_rejected_fraction=0.2,
        on_accepted=lambda table: accepted.extend(map(written_out, table.to_pylist())),
        on_quarantined=lambda rows: bad.extend((row.line, row.rule) for row in rows),
        block_bytes=block_bytes,
    )
    if check.is_rejected:
        assert check.accepted == 0
        return ("rejected", check.rule, case.because in (check.reason or "") or check.reason)
    accepted = that_stand(check, accepted)
    assert (check.accepted, check.quarantined) == (len(accepted), len(bad))
    assert check.rows_in == check.accepted + check.quarantined + check.duplicates
    return ("accepted", accepted, sorted(bad))


def written_out(row: dict[str, object]) -> tuple[int, tuple[str, ...]]:
    line = row.pop("source_line")
    assert row.pop("line_id", None) is None
    if amount := row.pop("line_amount_cents", None):
        assert amount == int(str(row["quantity"])) * int(str(row["unit_price_cents"]))
    assert isinstance(line, int)
    return line, tuple(
        f"{int(str(value)) // 100}.{int(str(value)) % 100:02d}"
        if name.endswith("_cents")
        else str(value)
        for name, value in row.items()
    )
