-- Every day whose facts the batch may change: they are read.
select order_date from batch_orders
union
select order_date from old_days
union
select uncategorised_lines.order_date
from uncategorised_lines
join batch_products on batch_products.product_id = uncategorised_lines.product_id
where uncategorised_lines.order_date is not null
