-- The (order, product) pairs whose lines the batch restates, of orders that have lines already.
select distinct order_id, product_id
from staged_order_items
where order_id in (select order_id from current_order_items)
