"""What KPI items say beside their measures: who set them, and what their rates are made of."""

STAMPS = ("batch_id", "epoch", "updated_at")
COUNTS = ("orders", "returned_orders")
BESIDE_MEASURES = frozenset((*STAMPS, *COUNTS))
