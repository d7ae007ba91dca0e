-- What the rewritten days of `order_items` (and the waiting lines) hold after the batch, and what is
-- added to the others.
select lines.order_id, lines.product_id, lines.quantity, lines.unit_price_cents, lines.line_id,
       lines.line_amount_cents, lines.added_to_total_cents, lines.category, lines.order_date,
       lines.batch_id, lines.source_key, lines.source_line
from lines
join changed_order_item_partitions
  on changed_order_item_partitions.order_date is not distinct from lines.order_date
where lines.outcome <> 'restated'
  and (changed_order_item_partitions.is_rewritten = 1 or lines.outcome <> 'unchanged')
