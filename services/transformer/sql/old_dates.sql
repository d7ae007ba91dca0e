-- The days on which the orders that the batch states, or has lines of, stand before it.
select known_orders.order_id, known_orders.order_date
from known_orders
where known_orders.order_id in (
    select order_id from batch_orders
    union all
    select order_id from staged_order_items
)
