-- The days of `orders` that have to be written anew.
select order_date from batch_orders
union
select current_orders.order_date
from current_orders
join batch_orders on batch_orders.order_id = current_orders.order_id
union
select order_date from next_orders where is_retotalled
