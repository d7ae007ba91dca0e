-- The last statement of each order within the batch: manifest order of the files, then line.
select order_id, user_id, order_date, total_amount_cents, status,
       batch_id, source_key, source_line, file_index
from (
    select staged_orders.*,
           row_number() over (
               partition by order_id order by file_index desc, source_line desc
           ) as recency
    from staged_orders
) as statements
where recency = 1
