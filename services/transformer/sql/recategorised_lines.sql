-- Lines of other orders that take the category of a product which the batch brings.
select uncategorised_lines.*
from uncategorised_lines
join batch_products on batch_products.product_id = uncategorised_lines.product_id
left join mentioned_orders on mentioned_orders.order_id = uncategorised_lines.order_id
where mentioned_orders.order_id is null
