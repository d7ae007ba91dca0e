"""How many events an execution may come to at worst, from the saga's definition.

What a state writes down is in the Step Functions API reference, HistoryEvent; one event after the
other as the console shows them. tests/simulation/history.py counts the same while it runs.
"""

import math
import re
from bisect import bisect_right
from typing import Any

Definition = dict[str, Any]
MAX_EVENTS = 25_000
"""Step Functions developer guide, Quotas: then the execution fails, and nothing is caught."""


def most_events(definition: Definition, files: int) -> int:
    """Every task tried as often as it may be, and as many slices repeated as may be."""
    states = definition["States"]
    slices = math.ceil(files / files_of_a_slice(definition))
    repeats = repeats_of_a_batch(definition)
    one_slice = ("ValidateBatch", "RecordValidation", "IsValidated")
    repeated = ("MayBeRepeated", "BeforeRepeating")
    once = set(states) - {*one_slice, *repeated}
    begun_and_over = 2
    return (
        begun_and_over
        + sum(_events_of(states[name], 0) for name in once)
        + (slices + repeats) * sum(_events_of(states[name], 0) for name in one_slice)
        + (files + repeats * files_of_a_slice(definition)) * _events_of_a_file(definition)
        + repeats * sum(_events_of(states[name], 0) for name in repeated)
    )


def largest_set(definition: Definition) -> int:
    """The most files of which no bad luck makes a history that is too long."""
    sets = range(1, MAX_EVENTS)
    return bisect_right(sets, MAX_EVENTS, key=lambda files: most_events(definition, files))


def files_of_a_slice(definition: Definition) -> int:
    """That are validated before the next are begun."""
    return int(definition["States"]["Begin"]["Assign"]["slice"])


def repeats_of_a_batch(definition: Definition) -> int:
    """Slices that may be validated once more."""
    [choice] = definition["States"]["MayBeRepeated"]["Choices"]
    [times] = re.findall(r"\$repeats <= (\d+)", choice["Condition"])
    return int(times)


def _events_of_a_file(definition: Definition) -> int:
    """Its iteration's begin and end, and its states."""
    [branch] = definition["States"]["ValidateBatch"]["Branches"]
    return 2 + _events_of_all(branch["States"]["ValidateFiles"]["ItemProcessor"], 0)


def _events_of_all(machine: Definition, items: int) -> int:
    return sum(_events_of(state, items) for state in machine["States"].values())


def _events_of(state: Definition, items: int) -> int:
    """Entered and exited, and what is between; `items` of a Map."""
    passes = 1 + sum(retry.get("MaxAttempts", 3) for retry in state.get("Retry", ()))
    match state["Type"]:
        case "Task":
            # Scheduled, started, submitted and the end of each try.
            return 2 + 4 * passes
        case "Parallel":
            inside = sum(_events_of_all(branch, items) for branch in state["Branches"])
            return 2 + passes * (2 + inside)
        case "Map":
            return 4 + items * (2 + _events_of_all(state["ItemProcessor"], 0))
        case "Fail":
            return 1
        case _:
            return 2
