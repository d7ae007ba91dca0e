-- The (order, product) pairs whose lines the batch restates.
select distinct order_id, product_id from staged_order_items
