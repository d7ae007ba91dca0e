"""Messages from a rule to a queue go by hand: doubled, late, out of order, or spoilt on the way."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.fault_matrix.stand import Stand, purge

LATE_SECONDS = 8.0
Deliver = Callable[[str, Callable[[str], None]], None]
"""Takes one message and the way to its queue."""


class Postman:
    """Carries messages with `faulty` until it has had `count` of them; `done` tells how often."""

    def __init__(self, faulty: Deliver, count: int = 1) -> None:
        self._faulty, self._left = faulty, count
        self.done: list[str] = []

    def carry(self, body: str, send: Callable[[str], None]) -> None:
        """Deliver one message, by the fault while there is any left."""
        if self._left > 0:
            self._left -= 1
            self.done.append(self._faulty.__name__)
            self._faulty(body, send)
        else:
            send(body)


def twice(body: str, send: Callable[[str], None]) -> None:
    """The same message two times."""
    send(body)
    send(body)


def late(body: str, send: Callable[[str], None]) -> None:
    """The message comes when its time is over; those behind it do not wait."""
    threading.Timer(LATE_SECONDS, send, [body]).start()


def last(body: str, send: Callable[[str], None]) -> None:
    """The message comes after those behind it, or, where none is, after what a sweep does."""
    threading.Timer(LATE_SECONDS / 2, send, [body]).start()


def broken_first(body: str, send: Callable[[str], None]) -> None:
    """Half of the message, then the whole."""
    send(body[: len(body) // 2])
    send(body)


@contextmanager
def between(stand: Stand, rule: str, bus: str, queue: str, postman: Postman) -> Iterator[None]:
    """Within the block the rule's messages go through the postman; afterwards directly again."""
    events, sqs = stand.direct.client("events"), stand.direct.client("sqs")
    [target] = [
        one
        for one in events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        if one["Arn"].endswith(f":{queue}")
    ]
    detour = f"detour-{queue}"
    sqs.create_queue(QueueName=detour)
    arn = target["Arn"].replace(queue, detour)
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{**target, "Arn": arn}])
    ended = threading.Event()
    thread = threading.Thread(target=_carry, args=(stand, detour, queue, postman, ended))
    thread.start()
    try:
        yield
    finally:
        events.put_targets(Rule=rule, EventBusName=bus, Targets=[target])
        ended.set()
        thread.join()


def _carry(stand: Stand, detour: str, queue: str, postman: Postman, ended: threading.Event) -> None:
    while not ended.is_set():
        for message in purge(stand, detour):
            postman.carry(message["Body"], lambda body: stand.send(queue, body))
        time.sleep(0.05)
