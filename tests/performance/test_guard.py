"""What the guard finds, and how often it is wrong, beside a plain three-sigma rule."""

import pytest

from tests.support.guard_bench import Tally, measured
from tests.support.guarded_shops import FAULTS

pytestmark = [pytest.mark.performance, pytest.mark.timeout(1800)]

SHOPS = range(2000, 2080)
YEARS = 3


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    return measured(SHOPS, days=YEARS * 365, each=4)


def test_faults_are_found_at_no_more_than_one_false_alarm_a_year(
    tallies: dict[str, Tally],
) -> None:
    print(f"\n{len(SHOPS)} shops of {YEARS} years, each fault on 4 days of each")
    for rule, tally in tallies.items():
        first = tally.first_alarms / tally.first_days * 365
        print(f"{rule}: {tally.false_alarms_a_year():.2f} false alarms a series and year,")
        print(
            f"  {first:.2f} in the first year; found, of shops of 100, 300 and 1,000 orders a day:"
        )
        for fault, files in sorted(tally.found):
            told = [f"{tally.recall(fault, files, least):.1%}" for least in (100, 300, 1000)]
            print(f"  {fault}, 1 of {files}: {', '.join(told)}")
    guard = tallies["guard"]
    assert guard.false_alarms_a_year() <= 1
    for fault in FAULTS:
        assert guard.recall(fault, files=1) >= 0.95
