-- The lines that the batch adds, or that stand in the place of others.
select order_id, product_id, quantity, unit_price_cents, line_id, line_amount_cents,
       added_to_total_cents, category, order_date, batch_id, source_key, source_line
from lines
where outcome in ('new', 'changed')
