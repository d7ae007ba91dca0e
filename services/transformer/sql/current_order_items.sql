-- The lines of before that the batch may change: those of the orders that it mentions, and those that
-- take a category.
select order_id, product_id, quantity, unit_price_cents, line_id, line_amount_cents,
       added_to_total_cents, category, order_date, batch_id, source_key, source_line,
       data_file, row_in_file
from mentioned_lines
union all
select order_id, product_id, quantity, unit_price_cents, line_id, line_amount_cents,
       added_to_total_cents, category, order_date, batch_id, source_key, source_line,
       data_file, row_in_file
from recategorised_lines
