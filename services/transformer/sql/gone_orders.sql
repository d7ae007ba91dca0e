-- Where the orders lie that are replaced, move or get another total.
select current_orders.data_file, current_orders.row_in_file
from current_orders
join next_orders on next_orders.order_id = current_orders.order_id
where next_orders.is_stated or next_orders.is_retotalled
