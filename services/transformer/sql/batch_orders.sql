-- The last statement of each order within the batch: manifest order of the files, then line.
-- Only orders stated more than once need a comparison.
select staged_orders.order_id, staged_orders.user_id, staged_orders.order_date,
       staged_orders.total_amount_cents, staged_orders.status,
       staged_orders.batch_id, staged_orders.source_key, staged_orders.source_line,
       staged_orders.file_index
from staged_orders
left join (
    select repeated.order_id, repeated.file_index, max(staged_orders.source_line) as source_line
    from (
        select order_id, max(file_index) as file_index
        from staged_orders
        group by order_id
        having count(*) > 1
    ) as repeated
    join staged_orders
      on staged_orders.order_id = repeated.order_id
     and staged_orders.file_index = repeated.file_index
    group by repeated.order_id, repeated.file_index
) as last_statements on last_statements.order_id = staged_orders.order_id
where last_statements.order_id is null
   or (staged_orders.file_index = last_statements.file_index
       and staged_orders.source_line = last_statements.source_line)
