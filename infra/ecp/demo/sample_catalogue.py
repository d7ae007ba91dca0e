"""What the sample shop sells, and the rows that it gets wrong; how they are drawn is not here."""

from datetime import date

DEFAULT_MONTH = date(2025, 7, 1)
DEFAULT_SEED = 7

# Category, share of the lines, chance that an order holding it comes back, (name, price in cents).
CATALOGUE: tuple[tuple[str, float, float, tuple[tuple[str, int], ...]], ...] = (
    (
        "Electronics",
        0.20,
        0.05,
        (
            ("Smartphone", 59900),
            ("Headphones", 8995),
            ("E-reader", 12900),
            ('Monitor 27"', 24950),
            ("USB-C charger", 2499),
        ),
    ),
    (
        "Fashion",
        0.24,
        0.16,
        (
            ("Denim jacket", 7950),
            ("Running shoes", 10999),
            ("T-shirt, white", 1495),
            ("Summer dress", 4999),
            ("Belt", 2450),
        ),
    ),
    (
        "Home & Kitchen",
        0.18,
        0.04,
        (
            ("Coffee grinder", 3999),
            ("Frying pan, 28 cm", 3450),
            ("Linen sheets", 6900),
            ("Desk lamp", 2995),
        ),
    ),
    (
        "Books",
        0.16,
        0.01,
        (
            ("Novel, paperback", 1199),
            ("Cookbook", 2800),
            ("City guide", 1650),
            ("Atlas", 4500),
        ),
    ),
    (
        "Sports",
        0.12,
        0.06,
        (
            ("Yoga mat", 2990),
            ("Dumbbells, 2 x 5 kg", 4495),
            ("Tent, two persons", 15900),
            ("Water bottle", 1250),
        ),
    ),
    (
        "Beauty",
        0.10,
        0.02,
        (
            ("Sun cream SPF 50", 1390),
            ("Face serum", 3200),
            ("Shampoo", 795),
        ),
    ),
)

# Rows that no shop should send, one of each kind per unit of scale.
BAD_ORDERS = (
    "{id},{user},2025-02-30,49.90,completed",  # not a date
    "{id},{user},{day},-15.00,completed",  # below zero
    "{id},{user},{day},19.999,completed",  # three decimals
    ",{user},{day},24.50,completed",  # no order_id
    '{id},"{user},{day},12.00,completed',  # a stray quote
)
BAD_ORDER_ITEMS = (
    "{id},{product},0,9.90",  # quantity below one
    "{id},{product},two,9.90",  # not a number
    "{id},{product},1,$12.00",  # a currency symbol
)
BAD_PRODUCTS = ("{product},,Gift card,25.00",)  # no category; once, whatever the scale
