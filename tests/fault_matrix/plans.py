"""What each of the 90 cells does: boundary and fault to the injections, with a sentence for each.

Where a fault makes no sense at a boundary as it is put, the nearest one is done: `note` says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.fault_matrix import boundaries as at
from tests.fault_matrix import faults, postman
from tests.fault_matrix.postman import Postman
from tests.fault_matrix.proxy import Fault, Injection
from tests.fault_matrix.stand import Stand

FAULTS = {
    "kill": "kill -9",
    "duplicate": "duplicate",
    "delay": "delay past timeout",
    "reorder": "reorder",
    "throttle": "throttle",
    "error_after": "error after success",
    "partial": "partial batch failure",
    "malformed": "malformed message",
    "clock": "clock jump",
    "restart": "restart of all workers",
}
LASTS_SECONDS = 3.0
"""Longer than a client tries again by itself most of the time: the handler hears of it."""
DATA_EVENTS = ("aggregator-uploads", "default", "aggregator-files")
OWN_EVENTS = ("aggregator-batches", "ecommerce-pipeline", "aggregator-events")
"""Rule, bus and queue."""


@dataclass(frozen=True)
class Plan:
    """What is injected. `dead_letters`: those that must be there at the end, by queue.

    `poisons`: messages that nobody can read, by queue. `mail`: rule, bus, queue and its postman.
    """

    note: str
    injections: tuple[Injection, ...] = ()
    mail: tuple[tuple[str, str, str, Postman], ...] = ()
    poisons: tuple[tuple[str, str], ...] = ()
    dead_letters: dict[str, int] = field(default_factory=dict)

    def injected(self) -> list[int]:
        """How often each part was done."""
        by_hand = [len(one[3].done) for one in self.mail]
        return [*(len(one.done) for one in self.injections), *by_hand, *(1 for _ in self.poisons)]


def plan_of(boundary: str, fault: str, stand: Stand, name: str) -> Plan:
    """The plan of one cell, for a batch whose files are called `name`."""
    return _BOUNDARIES[boundary](fault, stand, name)


def _common(fault: str, stand: Stand) -> tuple[str, Fault, float]:
    """What a fault is at a boundary that is a request: note, action, how long it lasts."""
    return {
        "kill": ("the caller is killed before its request is carried out", faults.kill_before, 0.0),
        "duplicate": ("the request is carried out twice", faults.send_twice, 0.0),
        "delay": (
            "carried out 7 s late, when the function's time or the message's visibility is over; "
            "no answer",
            faults.delay_before,
            0.0,
        ),
        "reorder": (
            "held until something else is written, 3 s at most",
            faults.hold_for_the_next,
            0.0,
        ),
        "throttle": ("refused as too frequent for 3 s", faults.throttle, LASTS_SECONDS),
        "error_after": (
            "carried out, but answered with an internal error, for 3 s",
            faults.fail_after,
            LASTS_SECONDS,
        ),
        "partial": ("fails for 3 s while all others work", faults.fail, LASTS_SECONDS),
        "malformed": ("carried out, the answer breaks off", faults.garble_answer, 0.0),
        "clock": (
            "the caller's clock goes an hour ahead, and back after the cell",
            faults.jump_clock(stand.clocks),
            0.0,
        ),
        "restart": (
            "kill -9 of all workers and functions while the request is under way",
            faults.restart_all(stand.restart_everything),
            0.0,
        ),
    }[fault]


def _request(fault: str, stand: Stand, matches: at.Matches, nth: int = 1, what: str = "") -> Plan:
    note, action, lasts_seconds = _common(fault, stand)
    injection = Injection(matches, action, nth=nth, lasts_seconds=lasts_seconds)
    return Plan(f"{what}: {note}" if what else note, (injection,))


def _s3_event(fault: str, stand: Stand, name: str) -> Plan:
    looks = at.looks_at(f"orders/{name}.csv")
    by_hand: dict[str, tuple[str, Postman]] = {
        "duplicate": ("every notification comes twice", Postman(postman.twice, 4)),
        "delay": ("the first notification comes 8 s late", Postman(postman.late)),
        "reorder": ("the first notification comes last", Postman(postman.last)),
        "malformed": ("half a notification, then the whole", Postman(postman.broken_first)),
    }
    if fault in by_hand:
        note, carrier = by_hand[fault]
        letters = {"aggregator-files-dlq": 1} if fault == "malformed" else {}
        return Plan(note, mail=((*DATA_EVENTS, carrier),), dead_letters=letters)
    return _request(fault, stand, looks, what="the aggregator's look at the uploaded file")


def _queue_in(fault: str, stand: Stand, _name: str) -> Plan:
    queue = "validator-commands" if fault == "reorder" else "transformer-commands"
    on_message: dict[str, tuple[str, Fault]] = {
        "kill": ("the worker is killed with the message in hand", faults.kill_after),
        "duplicate": ("the message lies in the queue twice", faults.deliver_twice),
        "delay": ("the message arrives when it is visible again", faults.delay_answer),
        "reorder": ("the first file's command comes after the others", faults.return_to_queue),
        "error_after": (
            "taken from the queue, but ReceiveMessage is answered with an error",
            faults.fail_after,
        ),
        "malformed": (
            "the command arrives with a fence that is no number: FAILED, then redriven",
            faults.break_message,
        ),
    }
    if fault in on_message:
        note, action = on_message[fault]
        receives = at.on_queue("ReceiveMessage", queue)
        injection = Injection(receives, action, matches_answer=at.holds_a_message)
        letters = {f"{queue}-dlq": 1} if fault == "malformed" else {}
        return Plan(note, (injection,), dead_letters=letters)
    if fault == "partial":
        deletes = at.on_queue("DeleteMessage", queue)
        note = "one message at a time is taken, so: it is done, but cannot be deleted for 3 s"
        return Plan(note, (Injection(deletes, faults.fail, lasts_seconds=LASTS_SECONDS),))
    if fault == "throttle":
        return _request(fault, stand, at.on_queue("ReceiveMessage", queue))
    note, action, _ = _common(fault, stand)
    receives = at.on_queue("ReceiveMessage", queue)
    return Plan(note, (Injection(receives, action, matches_answer=at.holds_a_message),))


def _handler(fault: str, stand: Stand, _name: str) -> Plan:
    """Before: the aggregator seals. After: the validator has validated a file."""
    before, after = at.appends("BatchSealed"), at.appends("FileValidated")
    note, action, lasts_seconds = _common(fault, stand)
    afterwards: dict[str, Fault] = {
        "kill": faults.kill_after,
        "delay": faults.delay_after,
        "partial": faults.cancel_after,
        "throttle": faults.fail_after,
    }
    beforehand: dict[str, Fault] = {
        "partial": faults.cancel_one("TransactionConflict"),
        "error_after": faults.fail,
        "malformed": faults.throttle,
    }
    notes = {
        "kill": "the caller is killed before, and another after, its append",
        "delay": "one append is carried out 7 s late, another answered 7 s late",
        "partial": "one item of the transaction in conflict; and written, but answered as refused",
        "throttle": "refused as too frequent for 3 s; and the answer after an append lost for 3 s",
        "error_after": "an internal error for 3 s, before and after the append",
        "malformed": "a broken CloseBatch in the queue; the answer after an append breaks off",
    }
    first = Injection(before, beforehand.get(fault, action), lasts_seconds=lasts_seconds)
    second = Injection(after, afterwards.get(fault, action), lasts_seconds=lasts_seconds)
    if fault == "partial":
        first.lasts_seconds = second.lasts_seconds = 0.0
    if fault == "malformed":
        poison = ("aggregator-commands", '{"event_type": "CloseBatch", "data": {')
        letters = {"aggregator-commands-dlq": 1}
        return Plan(notes[fault], (second,), poisons=(poison,), dead_letters=letters)
    return Plan(notes.get(fault, note), (first, second))


def _relay(fault: str, stand: Stand, _name: str) -> Plan:
    puts = at.puts_event("BatchSealed")
    special: dict[str, tuple[str, Fault]] = {
        "partial": (
            "the last of the stream's records is refused by the bus",
            faults.fail_entries(at.is_of_type("BatchSealed")),
        ),
        "malformed": ("events reach the bus without their data", faults.break_details),
    }
    if fault in special:
        note, action = special[fault]
        hear = ("aggregator-events-dlq", "api-events-dlq")
        letters = dict.fromkeys(hear, 1) if fault == "malformed" else {}
        return Plan(
            f"{note}; the sweep starts the batch", (Injection(puts, action),), (), (), letters
        )
    return _request(fault, stand, puts, what="the relay's PutEvents")


def _bus(fault: str, stand: Stand, _name: str) -> Plan:
    by_hand: dict[str, tuple[str, Postman]] = {
        "duplicate": ("BatchSealed comes twice", Postman(postman.twice)),
        "delay": ("BatchSealed comes 8 s late; the sweep starts the batch", Postman(postman.late)),
        "reorder": ("BatchSealed comes after the batch was started", Postman(postman.last)),
        "malformed": ("half of BatchSealed, then the whole", Postman(postman.broken_first)),
    }
    if fault in by_hand:
        note, carrier = by_hand[fault]
        letters = {"aggregator-events-dlq": 1} if fault == "malformed" else {}
        return Plan(note, mail=((*OWN_EVENTS, carrier),), dead_letters=letters)
    if fault == "partial":
        refuse = faults.fail_entries(lambda _: True)
        note = "PutEvents refuses all of its entries; the sweep starts the batch"
        return Plan(note, (Injection(at.puts_event("BatchSealed"), refuse),))
    what = "StartExecution, which BatchSealed asks for"
    return _request(fault, stand, at.starts_execution, what=what)


def _task_answer(fault: str, stand: Stand, _name: str) -> Plan:
    if fault == "malformed":
        note = "the output arrives broken: InvalidOutput"
        return Plan(note, (Injection(at.answer_of_transform, faults.refuse_output),))
    if fault in ("partial", "reorder"):
        what = "the answer for one of three files"
        return _request(fault, stand, at.answers_of_files, nth=2, what=what)
    return _request(fault, stand, at.answer_of_transform, what="the transformer's answer")


def _lock(fault: str, stand: Stand, _name: str) -> Plan:
    if fault == "malformed":
        poison = ("lock-commands", '{"event_type": "AcquireLock", "data": {')
        garbled = Injection(at.grants_the_lock, faults.garble_answer)
        note = "a broken AcquireLock in the queue; the answer to the grant breaks off"
        return Plan(note, (garbled,), poisons=(poison,), dead_letters={"lock-commands-dlq": 1})
    if fault == "partial":
        note = "one item of the grant's transaction in conflict"
        refuse = faults.cancel_one("TransactionConflict")
        return Plan(note, (Injection(at.grants_the_lock, refuse),))
    return _request(fault, stand, at.grants_the_lock, what="the grant")


def _facts(fault: str, stand: Stand, _name: str) -> Plan:
    what = "the move of one of the four mains"
    return _request(fault, stand, at.commits_facts, nth=at.PUBLISHING_COMMIT, what=what)


def _kpis(fault: str, stand: Stand, _name: str) -> Plan:
    if fault == "partial":
        note = "one item of the transaction is throttled: nothing is written"
        refuse = faults.cancel_one("ThrottlingError")
        return Plan(note, (Injection(at.publishes_kpis, refuse),))
    return _request(fault, stand, at.publishes_kpis, what="the KPIs' transaction")


_BOUNDARIES: dict[str, Callable[[str, Stand, str], Plan]] = {
    "s3_event": _s3_event,
    "queue_in": _queue_in,
    "handler": _handler,
    "relay": _relay,
    "bus": _bus,
    "task_answer": _task_answer,
    "lock": _lock,
    "facts": _facts,
    "kpis": _kpis,
}
