-- Days on which orders that the batch mentions may stand before it, with the least and the greatest of
-- their ids; an order with an equal hash only adds to them.
select found.order_date,
       min(mentioned_orders.order_id) as least_id,
       max(mentioned_orders.order_id) as greatest_id
from (
    select order_hash, order_date
    from order_days
    where order_hash in (select order_hash from mentioned_orders)
    group by order_hash, order_date
    having sum(change) > 0
) as found
join mentioned_orders on mentioned_orders.order_hash = found.order_hash
group by found.order_date
