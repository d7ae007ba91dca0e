-- Every statement of the batch's products; what stands from before has the index -1.
select current_products.product_id, current_products.category, current_products.name,
       current_products.price_cents,
       current_products.batch_id, current_products.source_key, current_products.source_line,
       -1 as file_index, -1 as statement_index
from current_products
join batch_products on batch_products.product_id = current_products.product_id
union all
select product_id, category, name, price_cents,
       batch_id, source_key, source_line, file_index, statement_index
from staged_products
