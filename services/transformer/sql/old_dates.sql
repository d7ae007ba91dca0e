-- The days on which the mentioned orders stand before the batch.
select known_orders.order_id, known_orders.order_date
from known_orders
join mentioned_orders on mentioned_orders.order_id = known_orders.order_id
