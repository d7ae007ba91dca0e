-- What the batch does to orders: the day of before (null: none), the day after, and whether the batch
-- states them; those that it does not state have another total by its lines.
select current_orders.order_date as old_order_date, batch_orders.order_date, 1 as is_stated,
       count(*) as row_count
from batch_orders
left join current_orders on current_orders.order_id = batch_orders.order_id
group by current_orders.order_date, batch_orders.order_date
union all
select order_date, order_date, 0, count(*)
from next_orders
where is_retotalled
group by order_date
