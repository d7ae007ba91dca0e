-- What is written of `order_items`: what comes, and what stays of the data files from which something goes.
select order_id, product_id, quantity, unit_price_cents, line_id, line_amount_cents,
       added_to_total_cents, category, order_date, batch_id, source_key, source_line
from coming_order_items
union all
select order_id, product_id, quantity, unit_price_cents, line_id, line_amount_cents,
       added_to_total_cents, category, order_date, batch_id, source_key, source_line
from rewritten_order_items
left join gone_order_items
  on gone_order_items.data_file = rewritten_order_items.data_file
 and gone_order_items.row_in_file = rewritten_order_items.row_in_file
where gone_order_items.data_file is null
