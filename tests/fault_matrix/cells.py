"""Running cells on a standing cloud: a control first, then one batch after the other, compared."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.fault_matrix import postman
from tests.fault_matrix.expectation import Left, left_by, wrong_numbers
from tests.fault_matrix.plans import Plan, plan_of
from tests.fault_matrix.shop import Batch, CellShop
from tests.fault_matrix.stand import Stand, purge, wait_until_quiet
from tests.model import ShopModel
from tests.support.pipeline import OPEN, eventually
from tests.support.standing import csv_of

QUIET_WITHIN_SECONDS = 30.0
LOG_LINES = 60
CellName = tuple[str, str]
"""Boundary and fault."""


@dataclass
class Outcome:
    """How a cell went. `ended`: COMPLETED, or FAILED, then COMPLETED by a redrive."""

    boundary: str
    fault: str
    note: str
    injected: list[int] = field(default_factory=list)
    ended: str = ""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        return not self.wrong

    def document(self) -> dict[str, Any]:
        """For the report: the story is for people at the screen."""
        return {name: value for name, value in asdict(self).items() if name != "story"}


class Bench:
    """A stand with the model beside it, and what a batch without a fault leaves."""

    def __init__(self, stand: Stand, cells: Sequence[CellName]) -> None:
        self.stand, self.model = stand, ShopModel()
        self._shops = {
            cell: CellShop("-".join(cell).replace("_", ""), number)
            for number, cell in enumerate([("no", "fault"), *cells])
        }
        self._take_in_what_stands_before()
        self.control = self._control()

    def run(self, cell: CellName) -> Outcome:
        """One cell from upload to comparison; never raises for what the pipeline did."""
        shop = self._shops[cell]
        plan = plan_of(*cell, self.stand, shop.name)
        outcome = Outcome(*cell, note=plan.note)
        began_at = time.time()
        self.stand.proxy.log.clear()
        try:
            self._run(shop, plan, outcome)
        except (AssertionError, LookupError) as fault:
            outcome.wrong.append(f"{type(fault).__name__}: {str(fault)[:1500]}")
        outcome.injected = plan.injected()
        if not all(outcome.injected) or not outcome.injected:
            outcome.wrong.append(f"the fault was not injected: {outcome.injected}")
        outcome.seconds = round(time.time() - began_at, 1)
        if outcome.wrong:
            outcome.story = self._story(shop, began_at)
        self.stand.set_clocks_right()
        return outcome

    def _run(self, shop: CellShop, plan: Plan, outcome: Outcome) -> None:
        with ExitStack() as armed:
            for rule, bus, queue, carrier in plan.mail:
                armed.enter_context(postman.between(self.stand, rule, bus, queue, carrier))
            armed.enter_context(self.stand.proxy.injecting(*plan.injections))
            for queue, body in plan.poisons:
                self.stand.send(queue, body)
            self._upload(shop)
            batch = self._closed(shop.name)
            outcome.ended = str(batch["status"])
            wait_until_quiet(self.stand, QUIET_WITHIN_SECONDS)
            if batch["status"] == "FAILED":
                outcome.wrong += self._wrong_after_failure(batch["batch_id"])
        if batch["status"] == "FAILED":
            self._redrive(shop, batch["batch_id"], outcome)
        elif batch["status"] != "COMPLETED":
            outcome.wrong.append(f"it ended {batch['status']}")
        self.model.apply(**shop.batch())
        outcome.wrong += self._wrong_at_the_end(shop, plan, batch["batch_id"])

    def _wrong_after_failure(self, batch_id: str) -> list[str]:
        """A batch that FAILED left numbers as they were, and the lock free."""
        self._await_free_lock()
        return [f"FAILED {batch_id}: {each}" for each in wrong_numbers(self.stand, self.model)]

    def _redrive(self, shop: CellShop, batch_id: str, outcome: Outcome) -> None:
        said = self.stand.ecp("redrive", batch_id, "--wait", "--json")
        again = self._closed(shop.name)
        outcome.ended += f", redriven: {again['status']}"
        if again["status"] != "COMPLETED":
            outcome.wrong.append(f"redrive ended {again['status']}: {said.out} {said.err}")

    def _wrong_at_the_end(self, shop: CellShop, plan: Plan, batch_id: str) -> list[str]:
        self._await_free_lock()
        wrong = wrong_numbers(self.stand, self.model)
        wrong += left_by(self.stand.direct, shop.name, batch_id).differences(self.control)
        return wrong + self._wrong_dead_letters(plan)

    def _wrong_dead_letters(self, plan: Plan) -> list[str]:
        def found() -> dict[str, int]:
            return self.stand.direct.dead_letters()

        deadline = time.monotonic() + 3
        while found() != plan.dead_letters and time.monotonic() < deadline:
            time.sleep(0.1)
        letters = found()
        for queue in letters:
            purge(self.stand, queue)
        if letters == plan.dead_letters:
            return []
        return [f"dead letters are {letters}, not {plan.dead_letters}"]

    def _await_free_lock(self) -> None:
        eventually(lambda: self.stand.direct.lock()["currentlockcount"] == 0)

    def _upload(self, shop: CellShop, bad: bool = True) -> None:
        batch = shop.batch()
        orders = [*batch["orders"], *([shop.bad_order()] if bad else [])]
        self._upload_rows(shop.name, {**batch, "orders": orders})

    def _upload_rows(self, name: str, batch: Batch) -> None:
        files = {f"{kind}/{name}.csv": csv_of(kind, rows) for kind, rows in batch.items()}
        self.stand.direct.upload_set(name, files)

    def _closed(self, name: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            batch = self._newest(name)
            return batch if batch and batch["status"] not in OPEN else None

        return eventually(probe)

    def _newest(self, name: str) -> dict[str, Any] | None:
        """The newest batch with the files of that name."""
        for batch in reversed(self.stand.direct.batches()):
            if f"orders/{name}.csv" in self.stand.direct.keys_of(batch["batch_id"]):
                return batch
        return None

    def _take_in_what_stands_before(self) -> None:
        rows: Batch = {"orders": [], "order_items": [], "products": []}
        for shop in self._shops.values():
            for kind, more in shop.before().items():
                rows[kind] += [row for row in more if row not in rows[kind]]
        self._upload_rows("before", rows)
        batch = self._closed("before")
        if batch["status"] != "COMPLETED":
            raise AssertionError(f"what stands before the cells was not taken in: {batch}")
        self.model.apply(**rows)

    def _control(self) -> Left:
        shop = self._shops["no", "fault"]
        self._upload(shop)
        batch = self._closed(shop.name)
        self.model.apply(**shop.batch())
        wrong = wrong_numbers(self.stand, self.model)
        if batch["status"] != "COMPLETED" or wrong:
            raise AssertionError(f"the control, without a fault, went wrong: {batch} {wrong}")
        self._await_free_lock()
        return left_by(self.stand.direct, shop.name, batch["batch_id"])

    def _story(self, shop: CellShop, began_at: float) -> list[str]:
        """The batch's events and the proxy's log, for whoever asks what happened."""
        lines = []
        if batch := self._newest(shop.name):
            lines.append(f"batch: {batch}")
            lines += [
                f"{event['occurred_at']} {event['event_type']} {str(event['data'])[:300]}"
                for event in sorted(
                    self.stand.direct.events(batch["batch_id"]),
                    key=lambda event: str(event["occurred_at"]),
                )
            ]
        log = self.stand.proxy.log[-LOG_LINES:]
        return lines + [f"+{at - began_at:6.2f} s {line}" for at, line in log]
