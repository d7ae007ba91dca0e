-- The days of `orders` that have to be written anew.
select order_date from batch_orders
union
select old_dates.order_date
from old_dates
join batch_orders on batch_orders.order_id = old_dates.order_id
union
select order_date from next_orders where is_retotalled
