-- Orders that the batch has lines of, or states whole, and that have lines already: in the facts, or
-- in another file of it. Only their lines can be replaced.
select order_id
from staged_order_items
where order_id in (select order_id from current_order_items)
union
select order_id
from whole_statements
where order_id in (select order_id from current_order_items)
union
select order_id from orders_in_several_files
