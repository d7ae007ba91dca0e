-- The whole index, as the orders give it.
select order_hash(order_id) as order_hash, order_date, count(*) as change
from indexed_orders
group by order_hash(order_id), order_date
