"""Rows of a small shop by chance: batches overlap, correct and move what stood."""

import random

from tests.support.standing import Row


def random_rows(draw: random.Random) -> dict[str, list[Row]]:
    """A batch that overlaps the ones before: new, corrected, moved and waiting rows."""
    return {
        "orders": [
            {
                "order_id": str(number),
                "user_id": f"u{draw.randrange(20)}",
                "order_date": f"2024-01-{draw.randint(1, 9):02}",
                "total_amount": f"{draw.randrange(10_000) / 100:.2f}",
                "status": draw.choice(["completed", "returned"]),
            }
            for number in draw.sample(range(300), 120)
        ],
        "order_items": [
            {
                "order_id": str(draw.randrange(300)),
                "product_id": f"p{draw.randrange(15)}",
                "quantity": str(draw.randint(1, 5)),
                "unit_price": f"{draw.randrange(5_000) / 100:.2f}",
            }
            for _ in range(200)
        ],
        "products": [
            {
                "product_id": f"p{number}",
                "category": f"C{draw.randrange(5)}",
                "name": "A thing",
                "price": "1.00",
            }
            for number in draw.sample(range(15), 6)
        ],
    }
