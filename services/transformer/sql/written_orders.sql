-- What is written of `orders`: what comes, and what stays of the data files from which something goes.
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents, batch_id, source_key, source_line
from coming_orders
union all
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents, batch_id, source_key, source_line
from rewritten_orders
left join gone_orders
  on gone_orders.data_file = rewritten_orders.data_file
 and gone_orders.row_in_file = rewritten_orders.row_in_file
where gone_orders.data_file is null
