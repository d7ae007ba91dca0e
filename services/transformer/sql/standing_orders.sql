-- The orders that the batch mentions, after it and as they are stated: the newest statement of an order
-- replaces it. `is_stated` are those of the batch itself.
select current_orders.order_id, current_orders.user_id, current_orders.order_date,
       current_orders.total_amount_cents, current_orders.status,
       current_orders.total_from_lines, current_orders.total_extra_cents,
       current_orders.batch_id, current_orders.source_key, current_orders.source_line,
       false as is_stated, false as is_retotalled
from current_orders
left join batch_orders on batch_orders.order_id = current_orders.order_id
where batch_orders.order_id is null
union all
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents, batch_id, source_key, source_line,
       true as is_stated, false as is_retotalled
from batch_orders
