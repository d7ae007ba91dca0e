-- The orders that the batch says something of: itself, or of their lines.
select order_id, order_hash(order_id) as order_hash
from (
    select order_id from batch_orders
    union
    select order_id from staged_order_items
) as mentioned
