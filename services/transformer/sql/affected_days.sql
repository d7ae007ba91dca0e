-- The days that the batch says something of, of those that were read: their KPIs are computed anew.
select order_date from batch_orders
union
select order_date
from current_orders
where order_id in (
    select order_id from batch_orders
    union all
    select order_id from staged_order_items
)
union
select uncategorised_lines.order_date
from uncategorised_lines
join batch_products on batch_products.product_id = uncategorised_lines.product_id
where uncategorised_lines.order_date is not null
