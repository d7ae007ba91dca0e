-- All products after the batch: the newest statement of a product replaces it.
select current_products.product_id, current_products.category, current_products.name,
       current_products.price_cents,
       current_products.batch_id, current_products.source_key, current_products.source_line
from current_products
left join batch_products on batch_products.product_id = current_products.product_id
where batch_products.product_id is null
union all
select product_id, category, name, price_cents, batch_id, source_key, source_line
from batch_products
