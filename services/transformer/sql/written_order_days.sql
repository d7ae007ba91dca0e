-- What the batch adds to the index: an order comes to a day, and goes from the one it stood on before.
select order_hash(batch_orders.order_id) as order_hash, batch_orders.order_date, 1 as change
from batch_orders
left join current_orders on current_orders.order_id = batch_orders.order_id
where current_orders.order_date is distinct from batch_orders.order_date
union all
select order_hash(current_orders.order_id), current_orders.order_date, -1
from batch_orders
join current_orders on current_orders.order_id = batch_orders.order_id
where current_orders.order_date <> batch_orders.order_date
