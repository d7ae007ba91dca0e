-- What the rewritten days of `orders` hold after the batch, and what is added to the others.
select next_orders.*
from next_orders
join changed_order_partitions
  on changed_order_partitions.order_date = next_orders.order_date
where changed_order_partitions.is_rewritten = 1 or next_orders.is_stated
