-- The last statement of each product within the batch: statements in order, then file and line.
select product_id, category, name, price_cents,
       batch_id, source_key, source_line, file_index
from (
    select staged_products.*,
           row_number() over (
               partition by product_id
               order by statement_index desc, file_index desc, source_line desc
           ) as recency
    from staged_products
) as statements
where recency = 1
