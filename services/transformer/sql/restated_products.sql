-- Products that a newer file states with other content, once for each time: it and what it replaced.
select product_id, source_key, source_line,
       replaced_batch_id, replaced_key, replaced_line, replaced_file_index
from (
    select product_id, source_key, source_line, file_index,
           lag(batch_id) over each_product as replaced_batch_id,
           lag(source_key) over each_product as replaced_key,
           lag(source_line) over each_product as replaced_line,
           lag(file_index) over each_product as replaced_file_index,
           case
               when category <> lag(category) over each_product
                 or name <> lag(name) over each_product
                 or price_cents <> lag(price_cents) over each_product
               then 1
               else 0
           end as is_other
    from product_statements
    window each_product as (
        partition by product_id order by statement_index, file_index, source_line
    )
) as statements
where replaced_file_index <> file_index and is_other = 1
