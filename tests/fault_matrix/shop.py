"""The rows of a cell: an order as it was; a batch that updates, moves, adds and has a bad row."""

from dataclasses import dataclass
from datetime import date, timedelta

from tests.support.shop import a_product, an_item, an_order
from tests.support.standing import Row, rows_of

FIRST_DAY = date(2020, 1, 1)
BAD_DATE = "2025-02-30"
Batch = dict[str, list[Row]]


@dataclass(frozen=True)
class CellShop:
    """Two days and the order ids of one cell alone; `name` is also that of its files."""

    name: str
    number: int

    @property
    def day(self) -> str:
        return (FIRST_DAY + timedelta(days=2 * self.number)).isoformat()

    @property
    def next_day(self) -> str:
        return (FIRST_DAY + timedelta(days=2 * self.number + 1)).isoformat()

    def before(self) -> Batch:
        """What stands when the cell begins."""
        return {
            "orders": rows_of(
                "orders",
                an_order(f"{self.name}-1", "anna", self.day, "10.00"),
                an_order(f"{self.name}-2", "ben", self.day, "20.10", "returned"),
            ),
            "order_items": rows_of(
                "order_items",
                an_item(f"{self.name}-1", "p1", "1", "10.00"),
                an_item(f"{self.name}-2", "p2", "2", "10.05"),
            ),
            "products": rows_of("products", a_product("p1", "Books"), a_product("p2", "Toys")),
        }

    def batch(self) -> Batch:
        """An update, a moved order, six new ones; without the bad row."""
        new = [f"{self.name}-{number}" for number in range(3, 9)]
        return {
            "orders": rows_of(
                "orders",
                an_order(f"{self.name}-1", "anna", self.day, "31.00"),
                an_order(f"{self.name}-2", "ben", self.next_day, "20.10", "returned"),
                *(an_order(order_id, order_id, self.day, "7.77") for order_id in new),
            ),
            "order_items": rows_of(
                "order_items",
                an_item(f"{self.name}-1", "p1", "3", "10.00"),
                *(an_item(order_id, f"{self.name}-p", "1", "7.77") for order_id in new),
            ),
            "products": rows_of("products", a_product(f"{self.name}-p", "Games")),
        }

    def bad_order(self) -> Row:
        """A row that is quarantined."""
        [row] = rows_of("orders", an_order(f"{self.name}-bad", "carl", BAD_DATE, "1.00"))
        return row
