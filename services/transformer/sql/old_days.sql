-- Days on which orders that the batch states, or has lines of, may stand before it; an order with an
-- equal hash only adds a day.
select order_date
from order_days
where order_hash in (
    select order_hash(order_id) from (
        select order_id from batch_orders
        union
        select order_id from staged_order_items
    ) as mentioned
)
group by order_hash, order_date
having sum(change) > 0
