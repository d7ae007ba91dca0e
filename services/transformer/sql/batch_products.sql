-- The last statement of each product within the batch: manifest order of the files, then line.
select product_id, category, name, price_cents,
       batch_id, source_key, source_line, file_index
from (
    select staged_products.*,
           row_number() over (
               partition by product_id order by file_index desc, source_line desc
           ) as recency
    from staged_products
) as statements
where recency = 1
