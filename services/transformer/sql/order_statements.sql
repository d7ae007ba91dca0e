-- Every statement of the batch's orders that are stated more than once; what stands from before has
-- the index -1. A total that follows lines is not stated.
select current_orders.order_id, current_orders.user_id, current_orders.order_date,
       case when not current_orders.total_from_lines then current_orders.total_amount_cents end
           as stated_total_cents,
       current_orders.total_from_lines, current_orders.total_extra_cents, current_orders.status,
       current_orders.batch_id, current_orders.source_key, current_orders.source_line,
       -1 as file_index, -1 as statement_index
from current_orders
join batch_orders on batch_orders.order_id = current_orders.order_id
union all
select staged_orders.order_id, staged_orders.user_id, staged_orders.order_date,
       case when not staged_orders.total_from_lines then staged_orders.total_amount_cents end,
       staged_orders.total_from_lines, staged_orders.total_extra_cents, staged_orders.status,
       staged_orders.batch_id, staged_orders.source_key, staged_orders.source_line,
       staged_orders.file_index, staged_orders.statement_index
from staged_orders
join (
    select current_orders.order_id
    from current_orders
    join batch_orders on batch_orders.order_id = current_orders.order_id
    union
    select order_id from repeated_orders
) as contested on contested.order_id = staged_orders.order_id
