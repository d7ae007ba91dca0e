-- The orders that the batch states more than once.
select order_id from staged_orders group by order_id having count(*) > 1
