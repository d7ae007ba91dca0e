-- What the changed days of `order_items` (and the waiting lines) hold after the batch.
select next_order_items.*
from next_order_items
join changed_order_item_partitions
  on changed_order_item_partitions.order_date is not distinct from next_order_items.order_date
