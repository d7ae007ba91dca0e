-- What the changed days of `orders` hold after the batch.
select next_orders.*
from next_orders
join changed_order_partitions
  on changed_order_partitions.order_date = next_orders.order_date
