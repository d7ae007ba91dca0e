-- The last statement of each order within the batch: statements in their order, then file and line.
-- Only orders stated more than once need a comparison.
select staged_orders.order_id, staged_orders.user_id, staged_orders.order_date,
       staged_orders.total_amount_cents, staged_orders.status,
       staged_orders.total_from_lines, staged_orders.total_extra_cents,
       staged_orders.batch_id, staged_orders.source_key, staged_orders.source_line,
       staged_orders.file_index
from staged_orders
left join repeated_orders on repeated_orders.order_id = staged_orders.order_id
where repeated_orders.order_id is null
union all
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents,
       batch_id, source_key, source_line, file_index
from (
    select staged_orders.*,
           row_number() over (
               partition by staged_orders.order_id
               order by staged_orders.statement_index desc, staged_orders.file_index desc,
                        staged_orders.source_line desc
           ) as recency
    from staged_orders
    join repeated_orders on repeated_orders.order_id = staged_orders.order_id
) as statements
where recency = 1
