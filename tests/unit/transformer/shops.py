"""Random shops: batches of new, late, corrected, moved, waiting, repeated and unknown rows.

The pools are small, so that rows meet; the texts are such as sort, quote or fold in odd ways.
"""

from hypothesis import strategies as st

from tests.support.transforming import Batch, a_batch, line, order, product

ORDER_IDS = ["1", "10", "2", "é", "e\u0301", "a'b", 'a"b', "%_", "😀", "\uffe5", "z" * 64]
"""Both of the pairs 10 and 2, and U+1F600 and U+FFE5, sort differently as UTF-16 or numbers."""
PRODUCT_IDS = ["p1", "P1", "p2", "ürün ☕", "null", "o'k"]
CATEGORIES = ["Books", "books", "Unknown", "Bücher, alt", "null", "🎲", "a\\b"]
DAYS = ["1970-01-01", "2024-02-29", "2025-07-07", "2025-07-08"]
AMOUNTS = ["0", "0.01", "0.10", "0.20", "0.29", "10.00", "9999999999.99"]

orders = st.builds(
    order,
    st.sampled_from(ORDER_IDS),
    st.sampled_from(DAYS),
    user_id=st.sampled_from(["u1", "u2", "U1"]),
    total_amount=st.sampled_from(AMOUNTS),
    status=st.sampled_from(["completed", "returned", "Returned", "pending"]),
)
lines = st.builds(
    line,
    st.sampled_from(ORDER_IDS),
    st.sampled_from(PRODUCT_IDS),
    st.sampled_from([1, 2, 1_000_000]),
    st.sampled_from(AMOUNTS),
)
products = st.builds(product, st.sampled_from(PRODUCT_IDS), st.sampled_from(CATEGORIES))
batches: st.SearchStrategy[Batch] = st.builds(
    a_batch,
    st.lists(orders, max_size=6),
    st.lists(lines, max_size=6),
    st.lists(products, max_size=3),
).map(lambda batch: batch if batch.files else Batch([("orders", [])]))
shops = st.lists(batches, min_size=2, max_size=5)
"""Batch after batch."""
