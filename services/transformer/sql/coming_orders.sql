-- The orders that the batch adds, or that stand in the place of others.
select order_id, user_id, order_date, total_amount_cents, status,
       total_from_lines, total_extra_cents, batch_id, source_key, source_line
from next_orders
where is_stated or is_retotalled
