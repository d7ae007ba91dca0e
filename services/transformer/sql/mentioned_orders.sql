-- Every order that the batch states or has lines of.
select order_id from batch_orders
union
select order_id from staged_order_items
