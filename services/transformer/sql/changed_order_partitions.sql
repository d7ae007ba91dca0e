-- The days of `orders` that change. `is_rewritten` (1 or 0) are those where orders are replaced, leave or
-- have another total; to the others orders are added, and what is there stays.
select order_date, max(is_rewritten) as is_rewritten
from (
    select order_date, 0 as is_rewritten from batch_orders
    union all
    select current_orders.order_date, 1
    from current_orders
    join batch_orders on batch_orders.order_id = current_orders.order_id
    union all
    select order_date, 1 from next_orders where is_retotalled
) as changes
group by order_date
