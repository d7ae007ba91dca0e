-- Products that the batch states, and how many of them were there before.
select count(*) as stated, count(current_products.product_id) as stood
from batch_products
left join current_products on current_products.product_id = batch_products.product_id
