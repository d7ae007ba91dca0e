"""Rows of a small shop, as a seed gives them: batches overlap, correct and move what stood."""

import random

from tests.support.standing import Row

ORDERS, LINES, PRODUCTS = 200, 400, 12


def random_rows(seed: int) -> dict[str, list[Row]]:
    """One batch of all three kinds."""
    draw = random.Random(seed)
    return {
        "orders": [
            {
                "order_id": str(draw.randrange(2 * ORDERS)),
                "user_id": f"u{draw.randrange(30)}",
                "order_date": f"2024-03-{draw.randint(1, 9):02}",
                "total_amount": f"{draw.randrange(10_000) / 100:.2f}",
                "status": draw.choice(["completed", "returned"]),
            }
            for _ in range(ORDERS)
        ],
        "order_items": [
            {
                "order_id": str(draw.randrange(2 * ORDERS)),
                "product_id": f"p{draw.randrange(PRODUCTS)}",
                "quantity": str(draw.randint(1, 5)),
                "unit_price": f"{draw.randrange(5_000) / 100:.2f}",
            }
            for _ in range(LINES)
        ],
        "products": [
            {
                "product_id": f"p{number}",
                "category": f"C{draw.randrange(4)}",
                "name": "A thing",
                "price": "1.00",
            }
            for number in range(PRODUCTS)
        ],
    }
